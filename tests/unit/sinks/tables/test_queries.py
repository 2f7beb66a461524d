"""What people query tables with sees exactly what is current, whatever was corrected, deleted and moved before."""

import json
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import syncer
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine

SINKS: Mapping[str, Mapping[str, object]] = {
    "lines": {"type": "jsonl", "url": "file:lines", "shard_items": 20},
    "gz": {"type": "jsonl", "url": "file:gz", "shard_items": 20, "compression": "gz"},
    "zst": {"type": "jsonl", "url": "file:zst", "shard_items": 20, "compression": "zst"},
    "parquet": {"type": "parquet", "url": "file:parquet", "shard_items": 20},
    "parquet-append": {"type": "parquet", "url": "file:parquet-append", "shard_items": 20, "mode": "append"},
}


def document(item: int, turn: int) -> bytes:
    """Return a document that says whose it is, spread over lines."""
    return json.dumps({"id": item, "turn": turn, "name": "Jürgen"}, indent=1, ensure_ascii=False).encode()


async def filled(folder: Path) -> dict[str, int]:
    """Sync three times, with corrections and deletions in between; return which turn each item is from."""
    platform, current = MemoryPlatform(), dict[str, int]()
    for turn, items in enumerate((range(50), range(10, 60, 3), range(0, 90, 7))):
        for item in items:
            platform.put(str(item), document(item, turn))
            current[str(item)] = turn
        if turn:
            platform.delete(str(turn))
            current.pop(str(turn))
        report = await Engine(folder, MemorySource(platform), sinks=SINKS).run()
        assert not report.problems
    return current


async def test_every_tool_sees_what_is_current(tmp_path: Path) -> None:
    """DuckDB, pandas and pyarrow read whole folders by pattern: each current item once, in its last version."""
    current = await filled(tmp_path)
    seen = {
        kind: dict(duckdb.read_json(f"{tmp_path}/{kind}/*.jsonl{end}").project("item, document.turn").fetchall())
        for kind, end in (("lines", ""), ("gz", ".gz"), ("zst", ".zst"))
    }
    rows = duckdb.read_parquet(f"{tmp_path}/parquet/*.parquet")
    seen["duckdb"] = dict(rows.project("item, (document->>'$.turn')::int").fetchall())
    table = ds.dataset(tmp_path / "parquet", exclude_invalid_files=True).to_table()
    seen["pyarrow"] = {row["item"]: json.loads(row["document"])["turn"] for row in table.to_pylist()}
    for name, end in (("lines", "jsonl"), ("gz", "jsonl.gz"), ("zst", "jsonl.zst")):
        frames = [pd.read_json(path, lines=True, dtype=False) for path in (tmp_path / name).glob(f"*.{end}")]
        assert len(frames) > 2
        frame = pd.concat(frames)
        assert len(frame) == len(current)
        seen[f"pandas-{name}"] = {str(row.item): row.document["turn"] for row in frame.itertuples()}
    frame = pd.concat([pd.read_parquet(path) for path in (tmp_path / "parquet").glob("*.parquet")])
    assert len(frame) == len(current)
    seen["pandas"] = {row.item: json.loads(row.document)["turn"] for row in frame.itertuples()}
    assert all(found == current for found in seen.values()), seen


async def test_files_with_former_rows_are_found_by_no_pattern(tmp_path: Path) -> None:
    """What holds superseded rows is called so that a query for current files finds nothing, and says so."""
    current = await filled(tmp_path)
    with pytest.raises(duckdb.IOException, match="No files found"):
        duckdb.read_parquet(f"{tmp_path}/parquet-append/**/*.parquet")
    files = list((tmp_path / "parquet-append").glob("*.parquet.history"))
    assert sum(pq.read_metadata(path).num_rows for path in files) > len(current)


async def test_syncer_read_reads_tables(tmp_path: Path) -> None:
    """`syncer.read` yields the current documents of tables of every kind, as they were served."""
    current = await filled(tmp_path)
    for name in SINKS:
        async with syncer.read(str(tmp_path / name)) as labels:
            found = {label.key.item: label.content async for label in labels.items()}
        assert found == {item: document(int(item), turn) for item, turn in current.items()}, name
