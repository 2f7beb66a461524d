"""Rows that one statement writes are those that many statements would have written."""

from typing import Any

import pytest

from syncer.state.sqlite import transaction as module
from syncer.state.sqlite.schema import connect
from syncer.state.sqlite.transaction import SqliteTransaction
from syncer.state.tables.transaction import COLUMNS

Row = tuple[Any, ...]


def rows(texts: list[str], digest: object = bytes(range(32))) -> list[Row]:
    """Return a row for each text, which stands wherever a text can."""
    return [
        (1, f"{number}/{text}", text, 2**40, text, place, None, 2**50, digest, text, text, None)
        for number, (text, place) in enumerate(zip(texts, (-(2**63), 2**63 - 1, 0, *range(100)), strict=False))
    ]


def written(records: list[Row]) -> list[Row]:
    """Write rows into an empty database, twice over, and return what it holds."""
    connection = connect(None, busy_seconds=1)
    try:
        for _ in range(2):
            SqliteTransaction(connection).put("items", records)
        return connection.execute(f"SELECT {COLUMNS} FROM items ORDER BY key").fetchall()  # noqa: S608  # a constant
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("records", "together"),
    [
        (rows(["", "plain", 'quo"te\\', "line\nbreak\t\x01\x7f", "ä€𐍈", "\u2028", "{}", "[1]", "null", "0"]), True),
        (rows(["cut\0short"] * 10), False),
        (rows(["x"] * 10, digest="no digest"), False),
        (rows(["x"] * 3), False),
    ],
)
def test_one_statement_writes_what_many_would(
    records: list[Row], together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in them; what JSON can't carry to SQLite goes row by row."""
    can = len(records) >= module._TOGETHER and module._together(records) is not None
    assert can is together
    found = written(records)
    monkeypatch.setattr(module, "_TOGETHER", len(records) + 1)
    assert found == written(records) == sorted(records, key=lambda record: record[1].encode())
