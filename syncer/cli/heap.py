"""How this process uses memory: what was freed goes back to the system, so that a peak stays what is really in use.

glibc raises the size from which a block has a mapping of its own to the largest block that was ever freed, and keeps
a heap for every few threads; with documents of hundreds of kilobytes that pass through several threads, the holes
between small objects then cost more than the documents. And Python looks for cycles after every 700 new objects, over
and over among the same modules and items on their way: a fifth of a run's CPU. All this is fixed here, for the process
as a whole: that is a decision of the command, and never of the library.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Callable

#: `mallopt` parameters of glibc (malloc.h), the variables that set the same, and our values. Deflating a document
#: takes a scratch buffer of some 300 kB: with a mapping of its own, or given back after each, it costs as much again.
_LIMITS = (
    (-3, "MALLOC_MMAP_THRESHOLD_", 384 * 1024),
    (-1, "MALLOC_TRIM_THRESHOLD_", 1024 * 1024),
    (-8, "MALLOC_ARENA_MAX", 2),
)

#: New objects between two searches for cycles; then every so many of these, one among older objects, and among all.
_YOUNG, _OLDER, _ALL = 30_000, 10, 10


def bound() -> None:
    """Fix these limits, those of malloc where the C library is glibc; what the user's environment says stays."""
    gc.set_threshold(_YOUNG, _OLDER, _ALL)
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return
    for parameter, variable, value in _LIMITS:
        if variable not in os.environ:
            mallopt(parameter, value)


def trim() -> None:
    """Give back to the system what was freed and is still held, where the C library is glibc."""
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def settle() -> None:
    """Leave what start-up made out of every further search for garbage: for long work.

    Nothing is searched for before: that takes as long as a tenth of the imports, and finds next to nothing.
    """
    if not gc.get_freeze_count():
        gc.freeze()


def _glibc(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None where the C library is another one, which has no such habits."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return found
