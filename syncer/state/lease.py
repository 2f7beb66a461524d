"""Leases: who works on a job or a unit right now. They die with their process, and nobody waits for them."""

import json
import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec

from syncer.model.errors import LeaseHeld, NotNow
from syncer.state.files import FILE_MODE, make_folder

try:
    import fcntl
except ImportError as error:  # pragma: no cover
    message = "state in a file needs a system with flock(2): Linux or macOS"
    raise ImportError(message) from error

#: A look at who holds a lease takes it, shared, for microseconds: a refusal counts only when it lasts.
_TRIES = 4
_PAUSE = 0.01


class Lease(Protocol):
    """A lease that is held."""

    @property
    def ticket(self) -> int:
        """Number under which the state knows it; 0 if it can't be lost while its process lives."""

    def release(self) -> None:
        """Let go of it. Idempotent."""


class Leases(Protocol):
    """The leases of one state. Calls may block for a moment: they belong in a thread."""

    def take(self, job: str, name: str, *, shared: bool = False) -> Lease:
        """Take the lease `name` of a job; shared ones exclude only those that are not.

        Raises:
            LeaseHeld: somebody else has it; the message names the process.
        """

    def holders(self, job: str) -> Mapping[str, str]:
        """Return who holds the exclusive leases of a job ("pid 123 on host"), by name."""


class FileLease(msgspec.Struct):
    """A lock of the kernel on an open file: gone when the process is gone, however it died."""

    path: Path
    descriptor: int | None
    ticket: int = 0

    def release(self) -> None:
        """Unlock; the last one out removes the file."""
        if self.descriptor is None:
            return
        if _lock(self.descriptor, fcntl.LOCK_EX):
            self.path.unlink(missing_ok=True)
        os.close(self.descriptor)
        self.descriptor = None


class FileLeases(msgspec.Struct, frozen=True):
    """One file a lease, in a folder beside the database."""

    folder: Path

    def take(self, job: str, name: str, *, shared: bool = False) -> FileLease:
        """Lock the file of this lease, and write into it who we are."""
        path = self.folder / f"{sha256(json.dumps([job, name]).encode()).hexdigest()[:32]}.lock"
        holder: Mapping[str, str] = {}
        try:
            make_folder(self.folder)
            for _ in range(_TRIES):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
                if not _lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
                    holder = _read(path)
                    os.close(descriptor)
                    time.sleep(_PAUSE)
                    continue
                if _same_file(descriptor, path):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, introduction(job, name), 0)
                    return FileLease(path, descriptor)
                # Its last holder removed it between our opening and our locking it.
                os.close(descriptor)
                holder = {}
        except OSError as error:
            message = f"no lease can be taken in {self.folder}: {error.strerror}"
            raise NotNow(message, hint="keep the state in a local folder that this user may write to") from error
        raise held(job, name, person(holder))

    def holders(self, job: str) -> Mapping[str, str]:
        """Read the files whose lock is taken; those of dead processes are free."""
        found: dict[str, str] = {}
        for path in sorted(self.folder.glob("*.lock")):
            holder = _read(path)
            if holder.get("job") == job and _is_locked(path):
                found[holder.get("name", "")] = person(holder)
        return found


class ProcessLease(msgspec.Struct):
    """A lease among the tasks of one process."""

    owner: "ProcessLeases"
    key: tuple[str, str]
    held: bool = True
    ticket: int = 0

    def release(self) -> None:
        """Let go of it."""
        if self.held:
            self.held = False
            count = self.owner.taken.pop(self.key)
            if count > 1:
                self.owner.taken[self.key] = count - 1


class ProcessLeases(msgspec.Struct):
    """The leases of a state in memory. Counts shared holders; 0 stands for an exclusive one."""

    taken: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)

    def take(self, job: str, name: str, *, shared: bool = False) -> ProcessLease:
        """Note it, unless it is taken."""
        count = self.taken.get((job, name))
        if count is not None and not (shared and count):
            raise held(job, name, person(json.loads(introduction(job, name))))
        self.taken[job, name] = (count or 0) + 1 if shared else 0
        return ProcessLease(self, (job, name))

    def holders(self, job: str) -> Mapping[str, str]:
        """Everything that is held exclusively is held by this process."""
        us = person(json.loads(introduction(job, "")))
        return {name: us for (owner, name), count in self.taken.items() if owner == job and not count}


def held(job: str, name: str, who: str) -> LeaseHeld:
    """Return the error that names the process."""
    what = f"{name} of job {job}" if name else f"job {job}"
    return LeaseHeld(f"{what} is being worked on by {who}", hint="wait until it is done, or stop that process")


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # removed in the meantime, or another user's: nothing to say about it
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def introduction(job: str, name: str) -> bytes:
    """Return what this process says about itself, as JSON."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    who = {"job": job, "name": name, "pid": str(os.getpid()), "host": socket.gethostname(), "since": started}
    return json.dumps(who).encode()


def _read(path: Path) -> Mapping[str, str]:
    try:
        holder = json.loads(path.read_bytes())
    except (OSError, ValueError):  # being written, or removed: the lock counts, not the text
        return {}
    return holder if isinstance(holder, dict) else {}


def person(holder: Mapping[str, str]) -> str:
    """Return who holds a lease, for people."""
    if not holder:
        return "another process"
    since = f" since {holder['since']}" if "since" in holder else ""
    return f"pid {holder.get('pid')} on {holder.get('host')}{since}"
