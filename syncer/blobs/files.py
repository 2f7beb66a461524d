"""The blocking side of a local store, for worker threads: one call a batch.

A file gets its bytes under a private name and its own name by one rename, so a reader sees the old document or the
new one and nothing between. Names with a segment that starts with a dot are private (temporary files, locks).
"""

import contextlib
import errno
import itertools
import os
import secrets
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from syncer.blobs.atomic import (
    creating,
    fill,
    link_new,
    remove_before,
    remove_quietly,
    remove_tree,
    removed,
    renew_time,
    status_of,
    still,
    tag_of,
)
from syncer.blobs.folders import Folders
from syncer.blobs.walk import walk
from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict, TooLarge
from syncer.ports import BlobInfo

Durability = Literal["none", "batch", "file"]

#: Files open at once while a batch is written.
_GROUP = 64
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW

T = TypeVar("T")


class Files:
    """Files below one folder. Raises `OSError` as the system does; names are guarded by `Folders`."""

    def __init__(self, root: Path, durability: Durability) -> None:
        """Take the folder and the policy that decides what is forced to disk."""
        self.folders = Folders(root)
        self.durability = durability
        #: Private corners that this process made. One that is gone was taken away by a successor: it is not made again.
        self._corners: set[str] = set()
        self._serial = itertools.count()
        self._token = secrets.token_hex(4)

    # ---------------------------------------------------------------------------------------- writing

    def write(
        self, files: Sequence[tuple[str, bytes | SpooledFile]], scratch: str, *, match: Sequence[str | None] = (),
        create: bool = False,
    ) -> list[str]:  # fmt: skip
        """Write files, each atomically, in this order; return their tags.

        Raises:
            FileNotFoundError: the private corner was cleared by somebody who took over.
            Conflict: with `create`, a name is taken by other bytes; with `match`, a file has another tag.
        """
        corner = self._corner(scratch)
        tags: list[str] = []
        for start in range(0, len(files), _GROUP):
            part = slice(start, start + _GROUP)
            tags += self._group(files[part], corner, match[part] or [None] * _GROUP, create=create)
        return tags

    def _group(
        self, files: Sequence[tuple[str, bytes | SpooledFile]], corner: str, match: Sequence[str | None], *,
        create: bool,
    ) -> list[str]:  # fmt: skip
        pending: list[str] = []
        opened: list[int] = []
        targets = [(name, self.folders.path(name, make=True)) for name, _ in files]
        try:
            for _, data in files:
                pending.append(f"{corner}-{next(self._serial)}")
                opened.append(creating(pending[-1])())
                fill(opened[-1], data)
            if self.durability != "none":
                for descriptor in opened:
                    os.fsync(descriptor)
            tags = [tag_of(os.fstat(descriptor)) for descriptor in opened]
            for index, ((name, target), temporary) in enumerate(zip(targets, tuple(pending), strict=True)):
                if create:
                    tags[index] = self._link(temporary, name, target, files[index][1], tags[index])
                else:
                    still(name, target, match[index])
                    self._rename(temporary, name, target)
                pending.remove(temporary)
        finally:
            for descriptor in opened:
                os.close(descriptor)
            for temporary in pending:
                remove_quietly(temporary)
        return tags

    def _rename(self, source: str, name: str, target: str) -> None:
        self._healed(name, lambda: os.replace(source, target))  # noqa: PTH105  # plain strings in a hot loop
        self.folders.changed(target)
        if self.durability == "file":
            self.folders.sync()

    def _link(self, source: str, name: str, target: str, data: bytes | SpooledFile, tag: str) -> str:
        """Give a new file its name; return its tag, or that of the one which is there with the same bytes."""
        if not self._healed(name, lambda: link_new(source, target)):
            return self._same(name, data if isinstance(data, bytes) else data.path.read_bytes())
        self.folders.changed(target)
        if self.durability == "file":
            self.folders.sync()
        return tag

    def _healed(self, name: str, action: Callable[[], T]) -> T:
        """Do something in a folder, once more if that was removed behind our back."""
        try:
            return action()
        except FileNotFoundError:
            self.folders.forget()
            self.folders.path(name, make=True)
            return action()

    def sync(self) -> None:
        """Force to disk what the policy asks for."""
        if self.durability != "none":
            self.folders.sync()

    def put(self, name: str, data: bytes, *, create: bool, match: str | None) -> str:
        """Write one small file durably. The caller holds the store's write lock.

        Raises:
            Conflict: it is there with other bytes (`create`), or its tag is not `match` any more.
        """
        target = self.folders.path(name, make=True)
        present = status_of(target)
        if create and present is not None:
            return self._same(name, data)
        still(name, target, match)
        temporary = self._beside(name)
        tag = self._copy(temporary, name, data, present)
        if not create:
            self._rename(temporary, name, target)
        elif not link_new(temporary, target):
            return self._same(name, data)
        self.folders.changed(target)
        self.sync()
        return tag

    def _beside(self, name: str) -> str:
        """Return the private name beside a file, free for use."""
        folder, slash, last = name.rpartition("/")
        path = self.folders.path(f"{folder}{slash}.{last}.tmp", make=True)
        Path(path).unlink(missing_ok=True)  # left by a process that died
        return path

    def _copy(self, path: str, name: str, data: bytes | SpooledFile, before: os.stat_result | None) -> str:
        descriptor = self._healed(name, creating(path))
        try:
            fill(descriptor, data)
            renew_time(descriptor, before)
            if self.durability != "none":
                os.fsync(descriptor)
            return tag_of(os.fstat(descriptor))
        except BaseException:
            remove_quietly(path)
            raise
        finally:
            os.close(descriptor)

    def _same(self, name: str, data: bytes) -> str:
        with contextlib.suppress(TooLarge):
            there = self.get(name, len(data))
            if there is not None and there[0] == data:
                return there[1]
        message = f"{name} is already there with other content"
        raise Conflict(message)

    def adopt(self, source: Path, name: str) -> str:
        """Move a complete local file in, replacing atomically; from another file system it is copied first."""
        target = self.folders.path(name, make=True)
        try:
            self._rename(str(source), name, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            temporary = self._beside(name)
            self._copy(temporary, name, SpooledFile(source, source.stat().st_size, ""), None)
            self._rename(temporary, name, target)
            source.unlink()
        self.sync()
        return tag_of(os.lstat(target))

    def copy(self, source: str, name: str, *, create: bool, match: str | None) -> str:
        """Copy a file under another name, replacing atomically."""
        file = Path(self.folders.path(source))
        temporary, target = self._beside(name), self.folders.path(name, make=True)
        self._copy(temporary, name, SpooledFile(file, file.stat().st_size, ""), status_of(target))
        still(name, target, match)
        if create and not link_new(temporary, target):
            raise Conflict(f"{name} is already there")
        if not create:
            self._rename(temporary, name, target)
        self.sync()
        return tag_of(os.lstat(target))

    def delete(self, names: Sequence[str], scratch: str, match: Sequence[str]) -> None:
        """Delete files; those that are not there are fine.

        With a private corner they go there first, in one step each, so that they stay where it was taken away.
        """
        corner = f"{self._corner(scratch)}-" if scratch else ""
        for index, name in enumerate(names):
            path = self.folders.path(name)
            with contextlib.suppress(NotADirectoryError):
                if status_of(path) is None:
                    continue
                if match:
                    still(name, path, match[index])
                removed(path, f"{corner}{next(self._serial)}" if corner else "")
                self.folders.changed(path)

    def _corner(self, scratch: str) -> str:
        """Return how temporary files in a private corner begin; it is made once, and not again when it is gone."""
        corner = self.folders.path(f"{scratch}/{self._token}", make=scratch not in self._corners)
        self._corners.add(scratch)
        return corner

    def take(self, scratch: str) -> None:
        """Make a private corner, then remove those of predecessors beside it.

        In this order, one of two who take theirs at once is gone for the other, or is seen by it.
        """
        self._corners.discard(scratch)
        self.folders.forget()
        self._healed(scratch, lambda: self._corner(scratch))
        self.clear(*scratch.rsplit("/", 1), sparing=True)

    def clear(self, scratch: str, until: str | None = None, *, sparing: bool = False) -> None:
        """Remove a private corner and everything in it; or what is in it up to a name, with `sparing` not that one."""
        if until is None:
            path = Path(self.folders.path(scratch))
            remove_tree(path)
            if "/" in scratch:
                with contextlib.suppress(OSError):  # others have theirs there
                    path.parent.rmdir()
        else:
            remove_before(self.folders.path(f"{scratch}/{until}"), sparing=sparing)
        self._corners = {corner for corner in self._corners if until or not f"{corner}/".startswith(f"{scratch}/")}
        self.folders.forget()

    def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Return content and tag, None if absent.

        Raises:
            TooLarge: there are more bytes than the limit.
        """
        try:
            descriptor = self.open(name)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limit + 1)
            if len(data) > limit:
                message = f"{name} is larger than {limit:,} bytes"
                raise TooLarge(message)
            return data, tag_of(os.fstat(descriptor))

    def open(self, name: str) -> int:
        """Return a descriptor to read from.

        Raises:
            FileNotFoundError: there is no such file.
        """
        path = self.folders.path(name)
        try:
            return os.open(path, _READ)
        except NotADirectoryError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error

    def stat(self, name: str) -> BlobInfo | None:
        """Return size and tag, None if absent."""
        status = status_of(self.folders.path(name))
        return None if status is None else BlobInfo(name, status.st_size, tag_of(status))

    def walk(self, prefix: str) -> Generator[BlobInfo, None, None]:
        """Yield all public files whose names start with a prefix."""
        return walk(self.folders, prefix)

    def open_lock(self, name: str) -> int:
        """Return a descriptor of a lock file, made if need be."""
        path = self.folders.path(name, make=True)
        return self._healed(name, lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
