"""The life of a process that runs jobs: signals, a grace period, its supervisor, and what keeps an eye on it."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import msgspec

from syncer.app.vitals import Vitals, open_vitals
from syncer.cli import heap
from syncer.cli.context import Session
from syncer.model.errors import Exit
from syncer.model.running import Running
from syncer.observe.notify import Condition, Supervisor
from syncer.observe.stall import Stall
from syncer.observe.traces import traced
from syncer.schedule.lifetime import Deadline, signals


class Life(msgspec.Struct):
    """One process, from its first job to its end."""

    session: Session
    #: Closes the intake of whatever runs; called once, with the reason.
    drain: Callable[[str], None]
    supervisor: Supervisor
    #: Why it is coming to an end, once it is.
    ending: str | None = None
    #: The end was asked for by nobody: a run stood still, and the supervisor is to start the process again.
    stalled: bool = False
    _since: float = 0.0
    _deadline: Deadline | None = None

    @property
    def grace(self) -> float:
        """Seconds between the first signal and the end, at most."""
        return self.session.syncer.settings.daemon.grace

    def guard(self) -> Deadline:
        """Return what ends the process after the grace period, whatever holds it up."""
        self._deadline = Deadline(self.grace, self._late, partial(os._exit, Exit.NOT_NOW))
        return self._deadline

    def signalled(self, name: str) -> None:
        """Begin the end at a first signal."""
        # A warning: heard also where progress is drawn, and where little is logged.
        self.session.logger.warning("finishing what is in flight; a second signal stops at once", signal=name)
        self._end(name)

    def stall(self, stall: Stall) -> None:
        """Say that a run stands still and what everything waits for; end the process, if that was chosen."""
        exits = self.session.syncer.settings.daemon.on_stall == "exit"
        then = {"then": "the process ends, to be started again"} if exits else {}
        self.session.logger.error(
            "a run does not move", job=stall.running.job, run=stall.running.run, stage=stall.stage,
            seconds=round(stall.seconds), waits=list(stall.waits), **then,
        )  # fmt: skip
        if exits and self.ending is None:
            self.stalled = True
            if self._deadline is not None:
                self._deadline.begin()
            self._end(f"stalled: {stall}")

    def moves_again(self, running: Running) -> None:
        """Say that it moves again."""
        self.session.logger.warning("the run moves again", job=running.job, run=running.run)

    def condition(self, vitals: Vitals) -> Condition:
        """Return how the process is, for its supervisor."""
        left = None
        if self.ending is not None:
            left = self._since + self.grace - self.session.syncer.clock.monotonic()
        return vitals.condition(left)

    def _end(self, reason: str) -> None:
        self.ending = self.ending or reason
        self._since = self.session.syncer.clock.monotonic()
        self.supervisor.stopping(self.grace)
        self.drain(reason)

    def _late(self) -> None:
        self.session.logger.error(
            "something holds the process up and is left to itself; run it again to go on", after=f"{self.grace:g} s"
        )


@asynccontextmanager
async def tracing(session: Session) -> AsyncIterator[None]:
    """Send traces while the block runs, if they are asked for; their end may wait for a collector, in a thread."""
    traces = traced(session.syncer.hub, asked=session.syncer.settings.log.traces)
    await anyio.to_thread.run_sync(traces.__enter__)
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(traces.__exit__, None, None, None)


@asynccontextmanager
async def living(session: Session, drain: Callable[[str], None]) -> AsyncIterator[tuple[Life, Vitals]]:
    """Handle signals, watch the process and tell its supervisor while the block runs jobs.

    An exception of the block leaves as it is, not in a group.
    """
    heap.settle()
    life = Life(session, drain, Supervisor.from_environment())
    failure: Exception | None = None
    async with (
        tracing(session),
        signals(life.signalled, life.guard()),
        open_vitals(session.syncer, life.stall, life.moves_again, heap.trim) as vitals,
        anyio.create_task_group() as group,
    ):
        group.start_soon(life.supervisor.attend, session.syncer.clock, partial(life.condition, vitals))
        try:
            yield life, vitals
        except Exception as error:  # noqa: BLE001  # raised again below, outside the group that would wrap it
            failure = error
        finally:
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
