"""What every task and thread waits for, in places of the code: no values, so no credential and no document."""

import asyncio
import gc
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

#: Where threads rest that have nothing to do.
_RESTING = frozenset({"queue.py", "threading.py", "selectors.py", "thread.py"})

#: What has a frame of its own while it waits.
_SUSPENDED = (CoroutineType, AsyncGeneratorType, GeneratorType)


def waits() -> Sequence[str]:
    """Return what all tasks of this event loop and all busy threads wait for, the most frequent first.

    Each is one line from the outside to the inside, with how many do the same before it.
    """
    now = asyncio.current_task()
    lines = Counter(_line(list(_awaited(task.get_coro()))) for task in asyncio.all_tasks() if task is not now)
    found = [f"{count} × {line}" for line, count in lines.most_common() if line]
    return [*found, *_threads()]


def _awaited(awaited: Any) -> Iterator[tuple[FrameType, int]]:  # noqa: ANN401  # whatever a task may await
    """Follow what a coroutine awaits, down to what really has to happen."""
    while awaited is not None:
        match awaited:
            case CoroutineType():
                frame, inner = awaited.cr_frame, awaited.cr_await
            case AsyncGeneratorType():
                frame, inner = awaited.ag_frame, awaited.ag_await
            case GeneratorType():
                frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
            case _:
                # A step of an async generator, or a wrapped coroutine, does not say what it belongs to.
                awaited = next((each for each in gc.get_referents(awaited) if isinstance(each, _SUSPENDED)), None)
                continue
        if frame is not None:
            yield frame, frame.f_lineno
        awaited = inner


def _threads() -> Iterator[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    here = threading.get_ident()
    for ident, innermost in sys._current_frames().items():  # noqa: SLF001  # documented, for exactly this use
        if ident == here:
            continue
        frames: list[tuple[FrameType, int]] = []
        frame: FrameType | None = innermost
        while frame is not None:
            frames.insert(0, (frame, frame.f_lineno))
            frame = frame.f_back
        resting = PurePath(innermost.f_code.co_filename).name in _RESTING
        if not resting or any(_ours(each) for each, _ in frames):
            yield f"thread {names.get(ident, ident)}: {_line(frames)}"


def _line(frames: Sequence[tuple[FrameType, int]]) -> str:
    """Return the frames of ours, and the last one whosoever it is."""
    kept = [(frame, line) for place, (frame, line) in enumerate(frames) if _ours(frame) or place == len(frames) - 1]
    return " > ".join(f"{_file(frame)}:{line} {frame.f_code.co_qualname}" for frame, line in kept)


def _ours(frame: FrameType) -> bool:
    return "syncer" in PurePath(frame.f_code.co_filename).parts[-4:-1]


def _file(frame: FrameType) -> str:
    parts = PurePath(frame.f_code.co_filename).parts
    if "syncer" in parts[-4:-1]:
        return "/".join(parts[len(parts) - 1 - parts[::-1].index("syncer") :])
    return "/".join(parts[-2:])
