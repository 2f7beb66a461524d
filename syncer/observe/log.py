"""The log of a run: one line a run at info, with all its numbers; trouble when it happens; the rest at debug."""

import logging
from typing import assert_never

from structlog.typing import FilteringBoundLogger

from syncer.model import events
from syncer.model.errors import Exit
from syncer.model.report import Report
from syncer.model.running import Running, running
from syncer.model.value import asdict
from syncer.observe.repeats import Repeats, kind_of
from syncer.ports import Clock

#: Problems that leave a run useful: they are warnings, all others errors.
_MILD = frozenset({Exit.OWING, Exit.STOPPED})

#: One an item or more: not even looked at unless they are written.
_FREQUENT = (events.RequestEnded, events.ItemFetched, events.PageListed, events.PagePlanned, events.Written)


class Log:
    """An observer that writes what happens. What repeats is written once in a while, with a count, for each job."""

    def __init__(self, logger: FilteringBoundLogger, clock: Clock) -> None:
        """Take the logger that `open_log` made, bound to whatever should stand on each line."""
        self._log = logger
        self._debug = logger.is_enabled_for(logging.DEBUG)
        self._clock = clock
        self._repeats: dict[Running | None, Repeats] = {}

    def __call__(self, event: events.Event) -> None:  # noqa: C901, PLR0912, PLR0915  # one case an event, each a line
        """Write one event."""
        log = self._log
        if not self._debug and isinstance(event, _FREQUENT):
            return
        match event:
            case events.RequestEnded(origin, method, status, seconds, size, target=target):
                log.debug("request", origin=origin, method=method, status=status, seconds=round(seconds, 3),
                          bytes=size, target=str(target))  # fmt: skip
            case events.ItemFetched(key, size):
                log.debug("fetched", item=key.canonical(), bytes=size)
            case events.PageListed(partition, refs, total):
                log.debug("page listed", partition=str(partition), items=refs, total=total)
            case events.PagePlanned(partition, wanted, unchanged, size):
                log.debug("page compared", partition=str(partition), wanted=wanted, unchanged=unchanged, bytes=size)
            case events.Written(leg, items, size):
                log.debug("written", sink=leg, items=items, bytes=size)
            case events.Sealed(leg, items):
                log.debug("sealed", sink=leg, items=items)
            case events.Committed(unit, items, size):
                log.debug("committed", unit=unit, items=items, bytes=size)
            case events.Staged(leg):
                log.debug("staged", sink=leg)
            case events.PublishedLeg(leg, containers, items):
                log.debug("published", sink=leg, containers=containers, items=items)
            case events.SegmentSent(leg, rows):
                log.debug("manifest segment sent", sink=leg, rows=rows)
            case events.HeadMoved(leg, generation):
                log.debug("manifest moved", sink=leg, generation=generation)
            case events.ErasureMoved(job, step):
                log.info("erasure", job=job, step=step)
            case events.LimitChanged(origin, limit):
                log.debug("requests at once", origin=origin, limit=limit)
            case events.RunStarted(job, run, legs):
                log.debug("run started", job=job, run=run, sinks=list(legs))
            case events.UnitStarted(unit=unit, partitions=partitions, epoch=epoch):
                log.debug("unit started", unit=unit, partitions=partitions, epoch=epoch)
            case events.UnitEnded(unit, complete):
                log.debug("unit ended", unit=unit, complete=complete)
            case events.Retrying(origin, attempt, wait, reason):
                self._sometimes("warning", ("retrying", origin), "retrying", origin=origin, attempt=attempt,
                                wait=round(wait, 2), reason=reason)  # fmt: skip
            case events.Throttled(origin, pause, rate):
                self._sometimes("warning", ("throttled", origin), "the platform asks for fewer requests", origin=origin,
                                pause=round(pause, 2), rate=rate)  # fmt: skip
            case events.ItemOwed(key, reason):
                self._sometimes("warning", ("owed", kind_of(reason)), "item owed", item=key.canonical(), reason=reason)
            case events.Warned(message):
                self._sometimes("warning", ("warned", kind_of(message)), message)
            case events.LegDetached(leg, reason):
                log.error("sink failed; the others go on", sink=leg, reason=reason)
            case events.LegReset(leg, dropped, reason):
                log.warning("sink goes back to its published position", sink=leg, dropped=dropped, reason=reason)
            case events.DeletesHeld(leg, count, allowed):
                log.warning("deletions held back; allow them with --max-delete", sink=leg, found=count, allowed=allowed)
            case events.PartitionFrozen(partition, items, reason):
                log.warning(
                    "partition frozen; its items are kept", partition=str(partition), items=items, reason=reason
                )
            case events.Draining(reason):
                # Of a signal, people are told as soon as it comes, and not once more by every run.
                write = log.debug if reason.startswith("SIG") else log.info
                write("stopping: finishing what is in flight", reason=reason)
            case events.RunEnded(report, told):
                self._unsaid()
                self._report(report, told=told)
            case _:
                assert_never(event)

    def _sometimes(self, level: str, key: tuple[str, str], message: str, **fields: object) -> None:
        repeats = self._repeats.get(this := running())
        if repeats is None:
            repeats = self._repeats[this] = Repeats(self._clock)
        unsaid = repeats.admit(key)
        if unsaid is None:
            return
        if unsaid:
            fields["repeated"] = unsaid
        getattr(self._log, level)(message, **fields)

    def _unsaid(self) -> None:
        repeats = self._repeats.pop(running(), None)
        for key, count in () if repeats is None else repeats.drain():
            what, which = key if isinstance(key, tuple) else (str(key), "")
            self._log.warning("repeated", what=what, of=which, times=count)

    def _report(self, report: Report, *, told: bool) -> None:
        for problem in () if told else report.problems:
            write = self._log.warning if problem.code in _MILD else self._log.error
            extra = {"hint": problem.hint, "sink": problem.leg}
            write(problem.message, job=report.job, **{name: text for name, text in extra.items() if text})
        self._log.info(
            "run ended",
            job=report.job,
            run=report.run,
            exit=int(report.exit_code()),
            complete=report.complete,
            **({"stopped": report.stopped} if report.stopped else {}),
            seconds=round((report.ended - report.started).total_seconds(), 3),
            **asdict(report.counts),
            owed_in_all=sum(report.owed.values()),
            frozen_partitions=len(report.frozen),
        )
