"""The two ends of a run that are not about items: partitions that are no longer there, and the report."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from syncer.flow.fresh import HISTORY, judged
from syncer.flow.unit import Pass
from syncer.flow.units import accepted, selected
from syncer.model.entries import Leg
from syncer.model.errors import ErasedAgain, SyncerError
from syncer.model.events import PartitionFrozen, Warned
from syncer.model.refs import Partition, PartitionKey
from syncer.model.report import WHOLE, Report
from syncer.model.value import asdict


async def freeze(this: Pass, partitions: Sequence[Partition]) -> list[Partition]:
    """Compare the partitions of today with those ever synced.

    One that is selected and absent is frozen: kept as it is, and named. One that is no longer selected is only
    reported. Neither is a deletion, unless the user says so (`--accept-gone`, `--prune`): those are returned.
    """
    released: list[Partition] = []
    present = {partition.key for partition in partitions}
    titles = {p.key.project: p.fields.get("project_title", p.key.project) for p in partitions}
    for key, items in (await this.store.partitions(this.job.name)).items():
        if key in present or not items:
            continue
        wanted = selected(key, this.job.select, titles)
        if accepted(key, this.options) or (this.options.prune and not wanted):
            await this.store.release(this.job.name, [key])
            released.append(Partition(key))
        elif wanted:
            _frozen(this, key, items)
        else:
            this.account.unselected += items
    return released


def _frozen(this: Pass, key: PartitionKey, items: int) -> None:
    this.account.frozen.append(str(key))
    this.account.counts.listed += items
    this.account.counts.frozen += items
    this.account.complete = False
    this.emit(PartitionFrozen(key, items, "it was synced before and is now absent"))


async def close(
    this: Pass, started: datetime, generations: Mapping[Leg, int], *, record: bool = True, mark: bool = True
) -> Report:
    """Make the report, and put it where others look: `status.json` beside the data (`mark`), and the history."""
    drained = this.drain.reason
    if left := this.account.unselected:
        this.emit(Warned(f"{left:,} stored items are no longer selected; they are kept (--prune removes them)"))
    if this.redacting is not None and (idle := this.redacting.idle):
        this.emit(Warned(f"redact: {', '.join(idle)} met nothing in {this.redacting.documents:,} documents"))
    if again := this.account.again:
        this.account.trouble(_restored(this, again))
    this.account.network(this.traffic)
    owed: Mapping[Leg, int] = {}
    pending = 0
    if record:
        now = await this.store.status(this.job.name)
        owed, pending = now.owed, sum(now.pending.values())
    shard = this.options.shard
    report = Report(
        job=this.job.name,
        run=this.run,
        started=started,
        ended=this.clock.now(),
        counts=this.account.counts,
        complete=this.account.complete and drained is None,
        stopped=drained,
        problems=tuple(this.account.problems),
        owed=owed,
        frozen=tuple(this.account.frozen),
        notes=tuple(this.account.notes),
        destinations={sink.name: sink.url for sink in this.job.sinks},
        generations=generations,
        share=WHOLE if shard is None else f"{shard[0]}/{shard[1]}",
    )
    if record:
        before = await this.store.runs(this.job.name, HISTORY)

        def judge(told: Report) -> Report:
            return judged(told, before, resumed=this.account.resumed, published=not pending)

        if mark:
            generations = {**generations, **await _mark(this, judge(report))}
        # A destination that could not be marked is one more problem of this run.
        report = judge(_with_problems(this, report, generations))
        await this.store.end_run(report, report.exit_code(), this.options.replaces if report.idle else None)
    return report


def _restored(this: Pass, again: int) -> SyncerError:
    return ErasedAgain(
        f"{again:,} erased items are stored again: an older copy of the destination or of the state was restored",
        hint=f"run: syncer erase --again {this.job.name} --yes",
    )


async def _mark(this: Pass, report: Report) -> dict[Leg, int]:
    """Move `status.json`, `latest` and `_SUCCESS` of every destination that this run wrote to; return generations."""
    generations: dict[Leg, int] = {}
    if this.options.sparing and report.idle:
        return generations
    for sink in this.job.sinks:
        if sink.name not in this.touched:
            continue
        if sink.name in this.options.hold and not sink.immediate:
            # Its status speaks of what readers can see, and that is as it was.
            continue
        owing = report.owed.get(sink.name) or report.counts.held or report.frozen
        complete = report.complete and not owing
        try:
            manifest = sink.manifest(this.job.name)
            generations[sink.name] = await manifest.move_head(status=status(report), complete=complete)
        except SyncerError as error:
            this.account.trouble(error, leg=sink.name)
    return generations


def _with_problems(this: Pass, report: Report, generations: Mapping[Leg, int]) -> Report:
    problems, complete = tuple(this.account.problems), report.complete and this.account.complete
    return replace(report, problems=problems, complete=complete, generations=generations)


def status(report: Report) -> dict[str, object]:
    """Return a run's report as JSON values."""
    return {
        "job": report.job,
        "run": report.run,
        "started": report.started.isoformat(),
        "ended": report.ended.isoformat(),
        "complete": report.complete,
        "stopped": report.stopped,
        "counts": asdict(report.counts),
        "owed": dict(report.owed),
        "frozen": list(report.frozen),
        "notes": list(report.notes),
        "problems": [
            {"message": p.message, "code": int(p.code), "hint": p.hint, "leg": p.leg} for p in report.problems
        ],
        "destinations": dict(report.destinations),
        "fresh_until": None if report.fresh_until is None else report.fresh_until.isoformat(),
    }
