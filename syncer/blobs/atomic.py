"""Single system calls on single files, named by what they are for. Blocking; for worker threads."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
#: Answers of file systems that have no hard links.
_LINKLESS = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def creating(path: str) -> Callable[[], int]:
    """Return the action that makes a new file and gives its descriptor; its mode follows the umask."""
    return lambda: os.open(path, _NEW, 0o666)


def fill(descriptor: int, data: bytes | SpooledFile) -> None:
    """Write all of a body.

    Raises:
        OSError: also where a spooled file is not as long as it was.
    """
    if isinstance(data, bytes):
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        return
    with data.path.open("rb") as source, os.fdopen(descriptor, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target, 1 << 20)
        if target.tell() != data.size:
            message = f"a spooled body was cut short: {target.tell():,} of {data.size:,} bytes"
            raise OSError(errno.EIO, message)


def tag_of(status: os.stat_result) -> str:
    """Return the evidence that a file was not replaced: `size-mtime_ns`."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def status_of(path: str) -> os.stat_result | None:
    """Return what the system knows of a file, None if there is none; a link is looked at, not followed."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def renew_time(descriptor: int, before: os.stat_result | None) -> None:
    """Make a new file younger than the one it replaces: times tick in milliseconds, and tags have to differ."""
    written = os.fstat(descriptor)
    if before is not None and written.st_mtime_ns <= before.st_mtime_ns:
        os.utime(descriptor, ns=(written.st_atime_ns, before.st_mtime_ns + 1))


def link_new(temporary: str, target: str) -> bool:
    """Give a complete file its name if that is free, in one step; tell whether it was. The other name goes."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _LINKLESS or status_of(target) is not None:
            raise
        os.replace(temporary, target)  # noqa: PTH105  # plain strings, as everywhere in this room
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108  # same
    return True


def removed(path: str, aside: str) -> None:
    """Remove a file, if somebody did not before; by way of another name, where that can be given.

    Raises:
        FileNotFoundError: the folder of the other name is gone.
    """
    try:
        if aside:
            os.rename(path, aside)  # noqa: PTH104  # plain strings, as everywhere in this room
        os.unlink(aside or path)  # noqa: PTH108  # same
    except FileNotFoundError:
        if aside and not Path(aside).parent.is_dir():
            raise
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        os.unlink(path)  # noqa: PTH108  # a folder of its own file system: the one place without this


def remove_before(path: str, *, sparing: bool) -> None:
    """Remove what lies beside a name and comes before it; the one of that name too, but for `sparing`."""
    place = Path(path)
    with contextlib.suppress(FileNotFoundError):
        for other in sorted(place.parent.iterdir()):
            if other.name < place.name or (other.name == place.name and not sparing):
                remove_tree(other)


def remove_tree(folder: Path) -> None:
    """Remove a folder in which somebody may still make files: it loses its name in one step, then all that is in it."""
    away = folder.with_name(f".{folder.name}.gone")
    with contextlib.suppress(FileNotFoundError):
        if away.exists():
            shutil.rmtree(away)
        folder.rename(away)
        shutil.rmtree(away)


def remove_quietly(path: str) -> None:
    """Remove a leftover; what can't be removed stays, because another error is on its way."""
    with contextlib.suppress(OSError):
        Path(path).unlink()


def locked_now(descriptor: int) -> bool:
    """Try to take an exclusive lock on an open file; it ends with the descriptor or the process."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def still(name: str, target: str, match: str | None) -> None:
    """Make sure that a file is still the one that it was.

    Raises:
        Conflict: it is gone, or another one.
    """
    present = None if match is None else status_of(target)
    if match is not None and (present is None or tag_of(present) != match):
        message = f"{name} was replaced by another process"
        raise Conflict(message)
