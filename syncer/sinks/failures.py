"""What the system says about a destination, said so that a person can act on it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from syncer.model.errors import Exit, LegFailed, StoreFailed

#: Error number: what it means here, exit code, what to do.
_MEANINGS: dict[int, tuple[str, Exit, str]] = {
    errno.ENOSPC: ("the disk is full", Exit.NOT_NOW, "free some space and run again; it goes on where it stopped"),
    errno.EDQUOT: ("the quota is used up", Exit.NOT_NOW, "free some space and run again; it goes on where it stopped"),
    errno.EROFS: ("the file system is read-only", Exit.PERMISSION, "mount it writable, or choose another destination"),
    errno.EACCES: ("permission denied", Exit.PERMISSION, "let this user write there, or choose another destination"),
    errno.EPERM: ("permission denied", Exit.PERMISSION, "let this user write there, or choose another destination"),
    errno.ENAMETOOLONG: (
        "a path is too long for this file system",
        Exit.SETTINGS,
        "shorten the path template or the url",
    ),
    errno.ENOTDIR: (
        "a file stands where a folder is needed",
        Exit.SETTINGS,
        "move it away, or change the path template",
    ),
    errno.EISDIR: (
        "a folder stands where a file is needed",
        Exit.SETTINGS,
        "move it away, or change the path template",
    ),
    errno.EMFILE: ("too many open files", Exit.NOT_NOW, "raise the limit (ulimit -n)"),
}
_OTHER_HINT = "see whether the destination is mounted and healthy, then run again"


def leg_failed(error: OSError, leg: str, url: str) -> LegFailed:
    """Return what stops a sink, for what the system said."""
    meaning, code, hint = _MEANINGS.get(error.errno or 0, (error.strerror or str(error), Exit.NOT_NOW, _OTHER_HINT))
    return LegFailed(f"{url} can't be used: {meaning}", leg=leg, exit_code=code, hint=hint)


@contextmanager
def destination(leg: str, url: str) -> Iterator[None]:
    """Turn what the system, or the store behind a bucket, refuses inside the block into `LegFailed`."""
    try:
        yield
    except StoreFailed as error:
        raise LegFailed(str(error), leg=leg, exit_code=error.exit_code, hint=error.hint) from error
    except OSError as error:
        raise leg_failed(error, leg, url) from error
