"""The linking platform in processes of its own: several of them behind one pair of ports, counting in shared memory."""

import argparse
import asyncio
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import uvloop

from tests.emulators.link import TOKEN, LinkPlatform, Tally


class SharedCounts(Sequence[int]):
    """The content counters of all processes: each writes a row of its own, everybody reads the sums."""

    def __init__(self, rows: memoryview, items: int, mine: int) -> None:
        self._rows = rows
        self._items = items
        self._mine = mine * items

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, item: Any) -> Any:
        return sum(self._rows[item :: self._items])

    def __setitem__(self, item: int, value: int) -> None:
        # The only writing is an increment of the sum: the difference belongs to this process.
        self._rows[self._mine + item] += value - self[item]
