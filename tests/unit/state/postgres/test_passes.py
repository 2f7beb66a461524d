"""A pass over all there is, in tables that the planner knows nothing of yet."""

from pathlib import Path

import pytest

from syncer.model.checkpoint import LegSpec
from syncer.state.postgres.database import PostgresDatabase
from syncer.state.postgres.target import Target
from syncer.state.tables.passes import subtract
from syncer.state.tables.transaction import Transaction
from tests.support.postgres import Postgres
from tests.support.states import LAKE, SEVEN, ZIP, State, group, published, put, row
from tests.support.stored import START, key

#: Items of a project: compared all with all, they would be sixteen million rows.
ITEMS = 4000


def looked_at(transaction: Transaction) -> int:
    """Subtract; return how many rows were read for that, of tables and of indexes."""
    ((partition, position),) = transaction.execute("SELECT partition, id FROM positions").fetchall()
    before = _read(transaction)
    subtract(transaction, partition, [position], ())
    return _read(transaction) - before


def _read(transaction: Transaction) -> int:
    (count,) = transaction.execute(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class"
        " WHERE relkind IN ('r', 'i') AND relnamespace <> CAST('pg_catalog' AS regnamespace)"
    ).fetchone()
    return int(count)


@pytest.mark.parametrize(
    ("leg", "changed"), [(LAKE, False), (ZIP, False), (ZIP, True)], ids=["items", "pending", "both"]
)
@pytest.mark.parametrize("items", [ITEMS // 8, ITEMS])
async def test_rows_are_looked_up_and_not_compared_all_with_all(
    tmp_path: Path, postgres_server: Postgres, target: Target, schema: str, leg: LegSpec, changed: bool, items: int
) -> None:
    """Each row is read a few times at most; nothing is known of the tables so soon after they were filled."""
    there = [f"{number}" for number in range(items)]
    async with State(postgres_server.url(schema), tmp_path).ledger(leg) as ledger:
        await ledger.commit(group(leg, changes={leg.name: put(*there[:-1], leg=leg)}))
        if changed:
            await ledger.stage("nightly", b"swaps")
            await ledger.publish("nightly", published("7.zip"), "run-1", START)
            again = [row(item, "2", leg=leg) for item in there[: items // 2]]
            await ledger.commit(group(leg, changes={leg.name: put(*again, leg=leg)}))
        await ledger.commit(group(leg, began={SEVEN: True}, seen={SEVEN: [key(item) for item in there]}))
    database = PostgresDatabase(target)
    await database.open()
    try:
        assert await database.write(looked_at) < 20 * items
    finally:
        await database.close()
