"""Taking a changed configuration while the daemon runs: schedules and limits only, and only if all of it is right."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from syncer.app.library import Syncer
from syncer.app.timetable import entries
from syncer.model.errors import SettingsError
from syncer.model.events import Warned
from syncer.schedule.scheduler import Scheduler
from syncer.settings import Settings
from syncer.settings.differences import differences, is_live

#: Seconds between two looks at the file.
PERIOD = 5.0


class Reload(msgspec.Struct):
    """Watches the file of an open configuration; a change that can't be taken is refused in words, as a whole."""

    syncer: Syncer
    scheduler: Scheduler
    period: float = PERIOD
    #: Called before the file is read again, and when that is over: for whoever started the process.
    began: Callable[[], None] = lambda: None
    over: Callable[[], None] = lambda: None
    _asked: anyio.Event = msgspec.field(default_factory=anyio.Event)

    def ask(self) -> None:
        """Read the file now, changed or not (SIGHUP)."""
        self._asked.set()

    async def watch(self) -> None:
        """Follow the file for ever; cancel it."""
        seen = await self._look()
        while True:
            await self._pause()
            asked, found = self._asked.is_set(), await self._look()
            if asked:
                self._asked = anyio.Event()
            if found is not None and (asked or found != seen):
                seen = found
                self.began()
                try:
                    await self.take()
                finally:
                    self.over()

    async def take(self) -> bool:
        """Read the configuration, and take what changed; tell whether it was taken."""
        try:
            new = await anyio.to_thread.run_sync(self.syncer.reread)
        except SettingsError as error:
            self._say(f"the changed configuration is not used: {error}")
            return False
        changed = differences(self.syncer.settings, new)
        refused = [path for path in changed if not is_live(path)]
        if refused:
            self._say(
                f"the changed configuration is not used: {', '.join(refused)} can't change while the daemon runs"
                " (only schedules and limits can); restart it"
            )
            return False
        if changed:
            self._apply(new)
            self._say(f"the changed configuration is used from now on: {', '.join(changed)}")
        return True

    def _apply(self, new: Settings) -> None:
        old, assembly = self.syncer.settings, self.syncer.assembly
        for platform in old.platforms.values():
            assembly.relimit(platform, new.platforms[platform.name])
        for job in old.jobs.values():
            assembly.relimit(job.platform, new.jobs[job.name].platform)
        self.syncer.settings = assembly.settings = new
        self.scheduler.reschedule({entry.job: entry for entry in entries(new)}, new.daemon.concurrency)

    async def _pause(self) -> None:
        asked = self._asked

        async def until_asked() -> None:
            await asked.wait()
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(until_asked)
            await self.syncer.clock.sleep(self.period)
            group.cancel_scope.cancel()

    async def _look(self) -> str | None:
        """Return a digest of the file; None if there is none, as in the moment in which an editor replaces it."""
        file = self.syncer.settings.file
        return None if file is None else await anyio.to_thread.run_sync(_digest, file)

    def _say(self, message: str) -> None:
        self.syncer.hub.emit(Warned(message))


def _digest(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None
