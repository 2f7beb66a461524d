"""Two passes over a platform that changes in between; one may die at any event: what crash matrices compare."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.destination import Outcome
from tests.support.engine import CrashError, Engine, crash_at


class Story(ABC):
    """Two passes; one of them may be cut short. Subclasses say where they write to."""

    def __init__(self, folder: Path, *, inline: bool, size: int = 9000) -> None:
        """Begin with some items, one of which fails once."""
        folder.mkdir()
        self.folder = folder
        self.platform = MemoryPlatform()
        for number in range(1, 25):
            # Incompressible, so that a few of them fill a part of an archive.
            self.platform.put(str(number), random.Random(number).randbytes(size))
        self.platform.context("7", b'{"labels":["car"]}')
        self.platform.fail("6", "503", times=1)
        self.source = MemorySource(self.platform, inline=inline)
        #: Events of each pass.
        self.events: list[int] = []
        #: What happens between a death and the next process.
        self.after_death: Callable[[], object] = lambda: None

    @abstractmethod
    def engine(self) -> Engine:
        """Return a process's view of the folder."""

    @abstractmethod
    async def outcomes(self) -> list[Outcome]:
        """Return what readers find in each destination."""

    async def play(self, crash: int | None = None) -> list[Outcome]:
        """Run both passes, dying at the given event of the whole story; return what readers find at the end."""
        left = await self._run(crash)
        self.edit()
        await self._run(left)
        return await self.outcomes()

    def edit(self) -> None:
        """Correct, delete, withdraw and add, as a day of annotators does."""
        self.platform.put("5", b"corrected")
        self.platform.put("23", b"corrected too")
        self.platform.delete("7")
        self.platform.withdraw("9")
        for number in range(30, 36):
            self.platform.put(str(number))

    async def _run(self, left: int | None) -> int | None:
        """Run once; if it dies on the way, run again as the next process would. Return how many events are left."""
        engine = self.engine()
        if left is not None:
            engine.emit = crash_at(left)
        try:
            report = await engine.run()
        except BaseException as error:
            if not died(error):
                raise
            left = None
            self.after_death()
            report = await self.engine().run()
        else:
            left = None if left is None else left - len(engine.events)
            self.events.append(len(engine.events))
        assert report.exit_code() in {Exit.DONE, Exit.OWING}, report.problems
        assert report.counts.difference == 0
        return left


def died(error: BaseException) -> bool:
    """Tell whether an error is the crash, and nothing but the crash."""
    if isinstance(error, BaseExceptionGroup):
        return all(died(each) for each in error.exceptions)
    return isinstance(error, CrashError)
