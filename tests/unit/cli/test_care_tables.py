"""`compact`, `state rebuild` and `verify` on tables."""

from pathlib import Path

import duckdb
import pytest

import syncer
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.unit.cli.conftest import Run

SINKS = ("lines", "columns")


@pytest.fixture
def tables(tmp_path: Path, platform: MemoryPlatform) -> Path:
    """Write a configuration with one job into both kinds of table, which keep what is superseded."""
    assert len(platform.items) == 5
    file = tmp_path / "syncer.yaml"
    file.write_text(
        "state: sqlite:state.db\n"
        f"platforms: {{mem: {{type: memory, platform: {tmp_path.name}}}}}\n"
        "sinks:\n"
        '  lines: {type: jsonl, url: "file:lines", compression: gz, mode: append, compact_above: 1}\n'
        '  columns: {type: parquet, url: "file:columns", mode: append, compact_above: 1}\n'
        'jobs:\n  tables: {platform: mem, select: {projects: ["7"]}, sinks: [lines, columns]}\n',
        encoding="utf-8",
    )
    return tmp_path


def items(folder: Path) -> list[str]:
    """Return the items of all rows of the Parquet files, superseded ones included."""
    found = duckdb.read_parquet([str(path) for path in folder.glob("columns/*.parquet.history")])
    return sorted(item for (item,) in found.project("item").fetchall())


def read(place: Path) -> dict[str, bytes]:
    """Return the documents that a reader finds."""
    with syncer.read(str(place)) as labels:
        return {label.key.item: label.content for label in labels.items()}


def test_compact_takes_superseded_rows_out(run: Run, tables: Path, platform: MemoryPlatform) -> None:
    """Files hold seven rows of four items after corrections; `compact` leaves the four, and readers see no change."""
    assert run("sync", "tables").code == Exit.DONE
    platform.put("3", b'{"corrected":true}')
    platform.put("4", b'{"corrected":true}')
    platform.delete("5")
    assert run("sync", "tables", "--full", "--max-delete", "9").code == Exit.DONE
    assert items(tables) == ["1", "2", "3", "3", "4", "4", "5"]
    before = [read(tables / sink) for sink in SINKS]
    ended = run("compact", "tables")
    assert (ended.code, "given back" in ended.words()) == (Exit.DONE, True)
    assert items(tables) == ["1", "2", "3", "4"]
    assert [read(tables / sink) for sink in SINKS] == before
    assert before[0] == before[1]
    assert before[0]["3"] == b'{"corrected":true}'
    assert sorted(before[0]) == ["1", "2", "3", "4"]
    assert run("verify", "tables", "--deep", "-o", "json").json() == []


def test_a_state_is_rebuilt_from_tables(run: Run, tables: Path, platform: MemoryPlatform) -> None:
    """After `reset` and `rebuild` nothing is fetched again, what changed meanwhile is; all verifies."""
    run("sync", "tables")
    run("state", "reset", "tables", "--yes")
    assert run("state", "rebuild", "tables").code == Exit.DONE
    platform.put("2", b'{"corrected":true}')
    assert run("sync", "tables", "-o", "json").json()[0]["counts"]["stored"] == 1
    assert run("verify", "tables", "--deep", "-o", "json").json() == []
    assert [read(tables / sink)["2"] for sink in SINKS] == [b'{"corrected":true}'] * 2


@pytest.mark.parametrize("sink", SINKS)
def test_verify_finds_a_flipped_byte(run: Run, tables: Path, sink: str) -> None:
    """A byte of a table that changed by itself ends `verify --deep` with 4; `repair` makes it whole again."""
    run("sync", "tables")
    (file,) = (tables / sink).glob("*.history")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    found = run("verify", "tables", "--deep")
    assert (found.code, "syncer repair tables" in found.err) == (Exit.DAMAGE, True)
    assert run("repair", "tables").code == Exit.DONE
    assert run("verify", "tables", "--deep", "-o", "json").json() == []
    assert len(read(tables / sink)) == 5
