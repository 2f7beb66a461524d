"""A whole engine in one process, on real sinks and a real state, for tests of runs, crashes and resumes."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncer.blobs.spool import open_spool
from syncer.flow.drain import Drain
from syncer.flow.job import CommitPolicy, Job, RunOptions
from syncer.flow.preview import Preview, preview
from syncer.flow.run import pass_of, run
from syncer.model.events import Event
from syncer.model.report import Report
from syncer.ports import Clock, Selection, Sink, Source, StateStore, Tools, Transform
from syncer.schedule.clock import SystemClock
from syncer.sinks.archive import PLUGIN as ZIP
from syncer.sinks.prefix import PLUGIN as PREFIX
from syncer.sinks.tables import JSONL, PARQUET_FILES
from syncer.state import open_state
from tests.support.destination import Outcome, outcome


class CrashError(BaseException):
    """The process dies here. Not an Exception: nothing of ours may catch it."""


@dataclass(slots=True)
class Engine:
    """One job on one state, as a process would have it; `run` it, throw it away, make a new one on the same folder."""

    folder: Path
    source: Source
    select: Selection = field(default_factory=lambda: Selection(projects=("7",)))
    #: Options of each sink by name, with its `type`.
    sinks: Mapping[str, Mapping[str, object]] = field(
        default_factory=lambda: {
            "lake": {"type": "prefix", "url": "file:lake"},
            "zip": {"type": "zip", "url": "file:zip"},
        }
    )
    name: str = "job"
    #: Where the state lies; relative paths count from the folder.
    state: str = "sqlite:state.db"
    clock: Clock = field(default_factory=SystemClock)
    commit: CommitPolicy = field(default_factory=lambda: CommitPolicy(items=7, interval=60))
    transform: Transform | None = None
    fetchers: int = 8
    units: int = 4
    #: Called with every event, before anything else hears it.
    emit: Callable[[Event], None] = lambda _: None
    events: list[Event] = field(default_factory=list)
    variables: Mapping[str, str] | None = None

    def heard(self, event: Event) -> None:
        """Keep an event, after the crash seam had its chance."""
        self.emit(event)
        self.events.append(event)

    def opened(self) -> list[Sink]:
        """Return the sinks, ready for use."""
        made: list[Sink] = []
        for name, options in self.sinks.items():
            plugin = {"zip": ZIP, "prefix": PREFIX, "jsonl": JSONL, "parquet": PARQUET_FILES}[str(options["type"])]
            made.append(
                plugin.create(
                    plugin.options(**options), self.folder, Tools(name, self.clock, self.heard, self.folder / "spool")
                )
            )
        return made

    def job(self) -> Job:
        """Return the assembled job."""
        job = Job(
            self.name, "memory", "memory", self.source, self.select, tuple(self.opened()), self.transform,
            commit=self.commit, fetchers=self.fetchers, units=self.units,
        )  # fmt: skip
        variables = dict(self.variables or self.source.variables)
        for name, selected in (("batch", self.select.batches), ("annotation_type", self.select.annotation_types)):
            if not selected:
                variables.pop(name, None)
        for sink in job.sinks:
            sink.bind(job.fixed(), variables)
        return job

    @asynccontextmanager
    async def store(self) -> AsyncIterator[StateStore]:
        """Open the state."""
        async with open_state(self.state, self.folder) as store:
            yield store

    async def run(self, options: RunOptions | None = None, *, drain: Drain | None = None) -> Report:
        """Run once, as a process of its own would."""
        async with open_spool(self.folder / "spool", reserve=0) as spool, self.store() as store:
            return await run(
                self.job(), store, options or RunOptions(), drain=drain or Drain(self.heard), spool=spool,
                clock=self.clock, emit=self.heard,
            )  # fmt: skip

    async def plan(self, options: RunOptions | None = None) -> Preview:
        """Return the dry run."""
        async with open_spool(self.folder / "spool", reserve=0) as spool, self.store() as store:
            return await preview(
                pass_of(
                    self.job(), store, options or RunOptions(), drain=Drain(self.heard), spool=spool,
                    clock=self.clock, emit=self.heard,
                )
            )  # fmt: skip

    async def outcome(self, sink: str) -> Outcome:
        """Return what a reader finds in one destination."""
        made = next(each for each in self.opened() if each.name == sink)
        return await outcome(made, self.name, self.folder / str(self.sinks[sink]["url"]).removeprefix("file:"))


def crash_at(number: int, events: Sequence[type] = ()) -> Callable[[Event], None]:
    """Return an `emit` that dies at the n-th event (0-based), or at the n-th of some kinds."""
    count = 0

    def emit(event: Event) -> None:
        nonlocal count
        if events and not isinstance(event, tuple(events)):
            return
        count += 1
        if count > number:
            raise CrashError

    return emit
