"""The middle of a run: one unit, worked on by whoever is free, from wherever its checkpoint stands."""

from functools import partial

from syncer.fleet import accounts, orders, shares
from syncer.fleet.crew import REFUSED, SOON, Again, Crew, bug
from syncer.fleet.heads import Notes
from syncer.fleet.orders import Order
from syncer.fleet.shares import Share
from syncer.flow.first import first
from syncer.flow.unit import Pass
from syncer.model.checkpoint import CommitGroup
from syncer.model.entries import Leg
from syncer.model.errors import Fenced, LeaseHeld, NotNow, SyncerError
from syncer.model.events import Warned
from syncer.state.tables.transaction import Transaction


async def work(crew: Crew, run: int, number: int) -> None:
    """Work on a unit.

    Raises:
        Again: somebody else should, or later.
    """
    if crew.leaving:
        raise Again(0)
    taken = await crew.database.write(lambda c: _take(crew, c, run, number))
    if taken is None:
        return
    order, share = taken
    if share is None:
        crew.syncer.hub.emit(Warned(str(crew.differs(order))))
        raise Again(REFUSED)
    crew.busy[order.job] = crew.busy.get(order.job, 0) + 1
    try:
        await _work(crew, order, share)
    finally:
        crew.busy[order.job] -= 1


def _take(crew: Crew, transaction: Transaction, run: int, number: int) -> tuple[Order, Share | None] | None:
    """Begin an attempt; None: nothing is to be done, no share: this worker won't."""
    order = orders.order(transaction, run)
    if order is None or order.state != "running":
        return None
    if (words := crew.differs(order)) is not None:
        orders.refuse(transaction, run, words)
        return order, None
    if order.paused:
        shares.hold(transaction, run, number)
        return None
    share = shares.begin(transaction, run, number, crew.name)
    return None if share is None else (order, share)


async def _work(crew: Crew, order: Order, share: Share) -> None:
    job = await crew.syncer.job(order.job)
    with crew.run(order, job) as (this, drain):
        generations: dict[Leg, int] = {}
        this.heads, this.released = Notes(order.job), set(share.released)
        if share.futile > shares.MOST:
            this.account.trouble(NotNow(f"{share.unit.name}: given up after {shares.MOST} attempts", hint=_GIVEN_UP))
        else:
            try:
                async with crew.store.sharing(order.job, order.epoch, partial(_note, this, share)) as view:
                    this.store = view
                    ended = await drain.in_time(this.clock, partial(_unit, this, share, generations))
            except LeaseHeld:
                # A dead worker's lease has not run out, or a process runs the whole job on its own.
                await _leave(crew, order, this, share)
                raise Again(SOON) from None
            except Fenced:
                # This worker stood still for long, and was replaced: the other one goes on.
                return
            except SyncerError as error:
                this.account.trouble(error)
                ended = True
            except Exception as error:  # noqa: BLE001  # the report tells it, with exit code 1; the others go on
                this.account.trouble(bug(error))
                ended = True
            if this.account.busy and not drain.started:
                # A process that stands still may hold a lock until it goes on, or its machine is gone.
                await _leave(crew, order, this, share, futile=True)
                raise Again(SOON)
            if crew.leaving and (drain.started or not ended or this.account.problems):
                await _leave(crew, order, this, share)
                raise Again(0)
        this.account.complete = this.account.complete and not drain.started
        counts = this.account.counts
        counts.requests, counts.retries, counts.throttled = crew.traffic(order)
        counts.add(share.before)
        result = accounts.dump(this.account, this.touched, generations)
        await crew.database.write(lambda c: shares.done(c, share, counts, result, crew.options.window))


_GIVEN_UP = "look at the logs of the workers: something in it ends them"


async def _unit(this: Pass, share: Share, generations: dict[Leg, int]) -> None:
    """Run the unit; what went wrong becomes a line of the account, or ends the attempt."""
    try:
        generations.update(await this.unit(share.unit))
    except* SyncerError as group:
        error = first(group)
        if isinstance(error, Fenced | LeaseHeld):
            raise error from None
        this.account.trouble(error)


def _note(this: Pass, share: Share, transaction: Transaction, group: CommitGroup) -> None:
    """Let the unit's counts move with its checkpoint: whoever dies after this, they are right."""
    shares.progress(transaction, share, accounts.so_far(share.before, this.account.counts, group.counts))


async def _leave(crew: Crew, order: Order, this: Pass, share: Share, *, futile: bool = False) -> None:
    counts = accounts.so_far(share.before, this.account.counts)
    for name, more in zip(("requests", "retries", "throttled"), crew.traffic(order), strict=True):
        setattr(counts, name, getattr(counts, name) + more)
    await crew.database.write(lambda c: shares.put_back(c, share, counts, futile=futile))
