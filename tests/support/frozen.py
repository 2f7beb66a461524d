"""A process that stops in front of its n-th step at a store and goes on when it is told: SIGSTOP on a leash.

In front of a bucket stands a gateway that keeps its requests; in a folder its calls wait, those of the operating
system too. Another process (here: another engine, with another way to the store) works meanwhile.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import anyio
import pytest

from syncer.blobs.folder import FolderBlobs

#: Seconds after which a test that hangs says so.
_PATIENCE = 120.0


class Leash:
    """Counts the steps of one process, and stops it in front of one."""

    def __init__(self, point: int | None) -> None:
        """Take the number of the step, from 0 on; None: it is never stopped."""
        self.point = point
        self.steps: list[str] = []
        #: It stands, or came to its end without that.
        self.stopped = anyio.Event()
        self._free = threading.Event()
        self._go = anyio.Event()
        self._loop = anyio.lowlevel.current_token()
        if point is None:
            self._free.set()
            self._go.set()

    def release(self) -> None:
        """Let it go on."""
        self._free.set()
        self._go.set()

    def _counted(self, step: str) -> bool:
        self.steps.append(step)
        return self.point is not None and len(self.steps) > self.point

    async def step(self, step: str) -> None:
        """Wait in front of a step where it is stopped."""
        if self._counted(step):
            self.stopped.set()
            with anyio.fail_after(_PATIENCE):
                await self._go.wait()

    def step_in_thread(self, step: str) -> None:
        """Do the same in a worker thread."""
        if self._counted(step):
            anyio.from_thread.run_sync(self.stopped.set, token=self._loop)
            assert self._free.wait(_PATIENCE), step


#: The leash of the process that this task, or thread, belongs to.
LEASH: ContextVar[Leash | None] = ContextVar("LEASH", default=None)

_DOOR = ("put_many", "put", "get", "stat", "delete_many", "take_scratch", "clear_scratch", "sync", "adopt")
_SYSTEM = ("replace", "rename", "link", "unlink", "mkdir")


@contextmanager
def folders_on_leash(monkeypatch: pytest.MonkeyPatch, root: str) -> Iterator[None]:
    """Let every call to a folder's store, and every change that it makes below the root, be a step."""

    def door(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(real)
        async def call(*args: Any, **kwargs: Any) -> Any:
            if (leash := LEASH.get()) is not None:
                await leash.step(name)
            return await real(*args, **kwargs)

        return call

    def system(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(real)
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            leash, text = LEASH.get(), os.fspath(path)
            # Documents of the manifest are written under a lock: nobody else gets in between.
            if leash is not None and str(text).startswith(root) and not str(text).endswith((".tmp", ".lock")):
                leash.step_in_thread(f"{name} {text}")
            return real(path, *args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in _DOOR:
            patch.setattr(FolderBlobs, name, door(getattr(FolderBlobs, name), name))
        for name in _SYSTEM:
            patch.setattr(os, name, system(getattr(os, name), name))
        yield
