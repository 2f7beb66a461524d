"""`syncer owed`: finished items that could not be had; they are tried first in every pass until they can."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Moment, Output
from syncer.cli.tree import family
from syncer.model.checkpoint import OwedItem
from syncer.model.refs import ItemKey
from syncer.model.value import asdict

if TYPE_CHECKING:
    from syncer.cli.context import Session
    from syncer.cli.tables import Row

app = family("owed")

Keys = Annotated[str, Parameter(name="KEY", help="Ids of items, or whole keys as `owed list -o jsonl` prints them.")]
Job = Annotated[str | None, Parameter(metavar="JOB", help="Only items of this job.")]


class _Debt(msgspec.Struct, frozen=True):
    job: str
    item: OwedItem


@app.command(name="list", usage="Usage: syncer owed list [JOB...] [OPTIONS]")
async def list_(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs; all that the state knows if none is named.")],
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """List owed items with their reasons."""
    from syncer.cli.context import opened
    from syncer.cli.tables import show

    async with opened(here, readonly=True) as session:
        debts = await _debts(session, jobs)
        rows = [_short(debt) if output == "table" else _whole(debt) for debt in debts]
        show(rows, output, empty="nothing is owed")
    return 0


@app.command(usage="Usage: syncer owed show KEY... [OPTIONS]")
async def show(*keys: Keys, job: Job = None, output: Output = "json", here: Everywhere = EVERYWHERE) -> int:
    """Show all that is known of owed items."""
    from syncer.cli.context import opened
    from syncer.cli.tables import show as print_rows

    async with opened(here, readonly=True) as session:
        print_rows([_whole(debt) for debt in await _named(session, job, keys)], output)
    return 0


@app.command(usage="Usage: syncer owed retry [KEY...] [OPTIONS]")
async def retry(*keys: Keys, job: Job = None, here: Everywhere = EVERYWHERE) -> int:
    """Try owed items again in the next pass, whatever was said before. Without KEY: all of them."""
    return await _postpone(keys, job, None, here)


@app.command(usage="Usage: syncer owed ignore KEY... --until TIME [OPTIONS]")
async def ignore(
    *keys: Keys,
    until: Annotated[Moment, Parameter(metavar="TIME", help="When to try again.")],
    job: Job = None,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Leave owed items alone until a time."""
    from syncer.cli.exits import UsageError

    if not keys:
        raise UsageError("ignore which items?", hint="syncer owed list names them")
    return await _postpone(keys, job, until, here)


async def _postpone(keys: Sequence[str], job: str | None, until: datetime | None, here: Everywhere) -> int:
    from syncer.cli.context import opened
    from syncer.cli.messages import say

    async with opened(here) as session:
        debts = await (_named(session, job, keys) if keys else _debts(session, [job] if job else []))
        count = 0
        for name in dict.fromkeys(debt.job for debt in debts):
            wanted = list(dict.fromkeys(debt.item.key for debt in debts if debt.job == name))
            count += await session.syncer.store.postpone(name, wanted, until)
        what = "tried again in the next pass" if until is None else f"left alone until {until:%Y-%m-%d %H:%M}Z"
        say(f"{count:,} owed items are {what}")
    return 0


async def _debts(session: "Session", jobs: Sequence[str]) -> list[_Debt]:
    """Return what is owed by jobs, by all if none is named.

    Raises:
        UsageError: there is no such job.
    """
    from syncer.cli.exits import UsageError
    from syncer.settings.problems import suggestion

    store = session.syncer.store
    known = list(dict.fromkeys([*session.syncer.settings.jobs, *await store.jobs()]))
    for name in jobs:
        if name not in known:
            raise UsageError(f"no job {name!r}; {suggestion(name, known)}")
    return [_Debt(name, item) for name in jobs or known for item in await store.all_owed(name)]


async def _named(session: "Session", job: str | None, keys: Sequence[str]) -> list[_Debt]:
    """Return the owed items that are named, in every sink that owes them.

    Raises:
        UsageError: one is not owed, or stands for several items.
    """
    from syncer.cli.exits import UsageError

    if not keys:
        raise UsageError("which items?", hint="syncer owed list names them")
    debts = await _debts(session, [job] if job else [])
    found: list[_Debt] = []
    for text in dict.fromkeys(keys):
        same = [debt for debt in debts if text in {debt.item.key.item, debt.item.key.canonical()}]
        if not same:
            raise UsageError(f"{text}: no such item is owed", hint="syncer owed list names them")
        several = list(dict.fromkeys((debt.job, debt.item.key) for debt in same))
        if len(several) > 1:
            names = "\n".join(f"{name}: {key.canonical()}" for name, key in several)
            raise UsageError(f"{text} stands for {len(several)} items", hint=f"give --job, or one whole key:\n{names}")
        found += same
    return found


def _short(debt: _Debt) -> "Row":
    item = debt.item
    return {
        "job": debt.job, "sink": item.leg, "partition": str(item.key.partition), "item": item.key.item,
        "attempts": item.attempts, "ignored_until": item.ignored_until, "reason": item.reason,
    }  # fmt: skip


def _whole(debt: _Debt) -> "Row":
    item = asdict(debt.item)
    key: ItemKey = debt.item.key
    return {"job": debt.job, "sink": item.pop("leg"), **item, "key": key.canonical()}
