"""A platform in memory, and a source that reads it: for tests of jobs, sinks, transforms and of other sources' habits.

Edit the platform between runs, or in the middle of one (`on_page`); give it faults; look at the source's counters.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import ClassVar

import msgspec
from pydantic import Field

from syncer.model.entries import Body
from syncer.model.errors import HttpError, ItemFailed, PartitionGone, SettingsError, SyncerError
from syncer.model.refs import CONTEXT, AnnotationRef, BrokenRow, Cursor, GroupKey, ItemKey, Page, Partition
from syncer.model.refs import PartitionKey, Withdrawal
from syncer.net.options import PlatformOptions
from syncer.ports import Clock, Features, Http, Known, Selection, SourcePlugin, Tools

#: The platform's clock: one second an edit, so that every edit has a time of its own.
START = datetime(2026, 1, 1, tzinfo=UTC)
#: Where items go unless told otherwise.
PROJECT = PartitionKey("7")
