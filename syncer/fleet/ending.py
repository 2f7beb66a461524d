"""The last part of a run: what its units did is added up, destinations are marked, the history has its line. Once."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from syncer.fleet import accounts, orders, shares, tick
from syncer.fleet.crew import SOON, Again, Crew, bug
from syncer.fleet.orders import Order
from syncer.flow.finish import close
from syncer.flow.heads import TURN, settle, tell
from syncer.flow.unit import Pass
from syncer.model.entries import Leg
from syncer.model.errors import Busy, Fenced, LeaseHeld, SyncerError
from syncer.model.events import RunEnded, RunStarted
from syncer.model.report import Counts, Report, unbegun
from syncer.model.running import works_for
from syncer.state.tables.transaction import Transaction


async def finalise(crew: Crew, number: int) -> None:
    """Bring a run to its end.

    Raises:
        Again: another worker moves the HEADs of the job just now, or holds its destination.
    """
    order = await crew.database.read(lambda c: orders.order(c, number))
    if order is None or order.state != "finalising":
        return
    try:
        job = await crew.syncer.job(order.job)
        with crew.run(order, job) as (this, _):
            this.emit(RunStarted(order.job, order.run, tuple(sink.name for sink in job.sinks)))
            report = await _finalise(crew, order, this)
            this.emit(RunEnded(report))
    except (LeaseHeld, Busy):
        raise Again(SOON) from None
    except Fenced:
        # Another worker ended it while this one stood still.
        return
    except SyncerError as error:
        await fail(crew, order, error)
        return
    except Exception as error:  # noqa: BLE001  # the report tells it, with exit code 1
        await fail(crew, order, bug(error))
        return
    await tick.after(crew, order, report)


async def fail(crew: Crew, order: Order, error: SyncerError) -> None:
    """End a run that can't go on, whatever part it is in."""
    now = crew.syncer.clock.now()
    report = replace(unbegun(order.job, order.created, now, error), run=order.run)
    try:
        await crew.store.ended_with(partial(_end, order)).end_run(report, report.exit_code())
    except Fenced:
        return
    with works_for(order.job, order.run):
        crew.syncer.hub.emit(RunEnded(report))
    await tick.after(crew, order, report)


async def _finalise(crew: Crew, order: Order, this: Pass) -> Report:
    account = this.account
    generations: dict[Leg, int] = {}
    for counts, said in await crew.database.read(lambda c: _parts(c, order)):
        account.counts.add(counts)
        if said is None:
            account.complete = False
            continue
        touched, reached = accounts.add(account, said)
        this.touched.update(touched)
        generations |= {leg: max(reached[leg], generations.get(leg, 0)) for leg in reached}
    # The units' requests are in the sum already.
    sums = account.counts.requests, account.counts.retries, account.counts.throttled
    account.before, this.traffic = (0, 0, 0), lambda: sums
    async with crew.store.turn(order.job, TURN), crew.store.sharing(order.job, order.epoch) as view:
        try:
            generations.update(await tell(this.job, view))
            if account.complete and not account.problems:
                await settle(this.job)
        except Busy:
            raise
        except SyncerError as error:
            account.trouble(error)
        this.store = view.ended_with(partial(_end, order))
        return await close(this, order.created, generations)


def _parts(transaction: Transaction, order: Order) -> list[tuple[Counts, Mapping[str, Any] | None]]:
    """Return the counts of planning and of all units, with what each has to say."""
    said = order.account
    planning = [] if said is None else [(Counts(**said["counts"]), said)]
    return [*planning, *shares.results(transaction, order.id)]


def _end(order: Order, transaction: Transaction, report: Report) -> None:
    orders.end(transaction, order, report)
