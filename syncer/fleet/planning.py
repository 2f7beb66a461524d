"""The first part of a run: its units are found, their places claimed, and the first of them queued."""

from syncer.fleet import accounts, ending, orders, shares
from syncer.fleet.crew import REFUSED, SOON, Again, Crew, bug
from syncer.fleet.orders import Order
from syncer.flow import part
from syncer.flow.drain import Drain
from syncer.flow.unit import Pass
from syncer.model.errors import Busy, Fenced, SettingsError, SyncerError
from syncer.model.events import Warned
from syncer.model.value import asdict
from syncer.ports import Unit
from syncer.state.tables.opening import next_epoch
from syncer.state.tables.transaction import Transaction

#: Refusals after which a run ends for that reason: nobody may be there who would take part.
REFUSALS = 5


async def plan(crew: Crew, number: int) -> None:
    """Plan a run.

    Raises:
        Again: somebody else should, or later.
    """
    if crew.leaving:
        raise Again(0)
    order = await crew.database.read(lambda c: orders.order(c, number))
    if order is None or order.state != "planning":
        return
    if (words := crew.differs(order)) is not None:
        await _refuse(crew, order, words)
        return
    try:
        job = await crew.syncer.job(order.job)
        with crew.run(order, job) as (this, drain):
            await _plan(crew, order, this, drain)
    except Busy:
        raise Again(SOON) from None
    except Fenced:
        # Another worker planned it while this one stood still.
        return
    except SyncerError as error:
        await ending.fail(crew, order, error)
    except Again:
        raise
    except Exception as error:  # noqa: BLE001  # the report tells it, with exit code 1
        await ending.fail(crew, order, bug(error))


async def _plan(crew: Crew, order: Order, this: Pass, drain: Drain) -> None:
    store = crew.store
    async with store.lease(order.job):
        epoch, known = await crew.database.read(lambda c: (next_epoch(c, order.job), _epochs(c, order.job)))
        await store.begin_run(order.job, order.run, order.created)
        units: list[Unit] = []

        async def find() -> None:
            units.extend(await part.plan(this, epoch, known))

        ended = await drain.in_time(this.clock, find)
        if crew.leaving and (drain.started or not ended):
            raise Again(0)
    counts = this.account.counts
    counts.requests, counts.retries, counts.throttled = crew.traffic(order)
    said = {**accounts.dump(this.account, this.touched, {}), "counts": asdict(counts)}
    texts = [(unit.name, shares.text_of(unit, frozenset(this.released))) for unit in units]
    await crew.database.write(lambda c: orders.planned(c, order, epoch, texts, said, crew.options.window))


def _epochs(transaction: Transaction, job: str) -> dict[str, int]:
    return dict(
        transaction.execute(
            "SELECT u.name, u.epoch FROM units AS u JOIN jobs AS j ON j.id = u.job WHERE j.name = ?", (job,)
        )
    )


async def _refuse(crew: Crew, order: Order, words: str) -> None:
    crew.syncer.hub.emit(Warned(words))
    if await crew.database.write(lambda c: orders.refuse(c, order.id, words)) < REFUSALS:
        raise Again(REFUSED)
    await ending.fail(crew, order, SettingsError(words, hint="give all workers the same file, then run it again"))
