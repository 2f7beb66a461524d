"""Kognic's annotations in tables, corrected and deleted in between: every tool reads what the platform serves."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.json as lines
import pytest

from syncer.app.reading import read
from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.answers import stamp
from tests.support.command import syncer

CONFIG = """
state: sqlite:state.db
platforms:
  cars: {{type: kognic, url: "{url}", client_id: {client_id}, client_secret: {client_secret}}}
sinks:
  lines: {{type: jsonl, url: "file:lines", compression: zst, shard_items: {shard}}}
  columns: {{type: parquet, url: "file:columns", shard_items: {shard}}}
jobs:
  tables:
    platform: cars
    select: {{projects: [{project}], batches: [{batch}], annotation_types: [{type}]}}
    sinks: [lines, columns]
"""
#: A document that is spread over lines, and whose letters take more than a byte.
SPREAD = '{\n "openlabel": {\r\n\t"metadata": {"schema_version": "1.0.0", "note": "Straße, 東京, \\n"}}\n}\n'.encode()
WANTED = "project, batch, annotation_type, item, version"


class Key(NamedTuple):
    """What a row says of an annotation, beside its document."""

    project: str
    batch: str
    annotation_type: str
    item: str
    version: str


#: What a tool read: documents by key; as they are served, or as JSON where the tool parses them itself.
Found = Mapping[Key, Any]


def served(platform: KognicPlatform) -> dict[Key, bytes]:
    """Return the document of each annotation that the platform serves now."""
    return {
        Key(PROJECT, BATCH, TYPE, row.input.scene.uuid, stamp(row.created)): platform.document(row)
        for row in platform.world.delivered.values()
    }


def once(rows: list[tuple[Key, Any]]) -> Found:
    """Return rows by key; none stands twice."""
    found = dict(rows)
    assert len(found) == len(rows)
    return found


def key_of(row: Mapping[str, Any]) -> Key:
    """Return the key of a row that a tool made a mapping of."""
    return Key(*(row[name] for name in Key._fields))


def duckdb_columns(folder: Path) -> Found:
    """Return what DuckDB finds in Parquet."""
    found = duckdb.read_parquet(f"{folder}/columns/*.parquet").filter("kind = 'annotation'")
    return once([(Key(*row[:-1]), row[-1].encode()) for row in found.project(f"{WANTED}, document").fetchall()])


def pandas_columns(folder: Path) -> Found:
    """Return what pandas finds in Parquet."""
    frame = pd.concat([pd.read_parquet(path) for path in (folder / "columns").glob("*.parquet")])
    rows = frame[frame["kind"] == "annotation"].to_dict("records")
    return once([(key_of(row), row["document"].encode()) for row in rows])


def pyarrow_columns(folder: Path) -> Found:
    """Return what pyarrow finds in Parquet."""
    files = [str(path) for path in (folder / "columns").glob("*.parquet")]
    rows = ds.dataset(files).to_table(filter=ds.field("kind") == "annotation").to_pylist()
    return once([(key_of(row), row["document"].encode()) for row in rows])


def duckdb_lines(folder: Path) -> Found:
    """Return what DuckDB finds in lines, as the text that stands there: only line breaks have become spaces."""
    with duckdb.connect() as connection:
        found = connection.execute("SELECT json FROM read_json_objects(?)", [f"{folder}/lines/*.jsonl.zst"]).fetchall()
    rows = [(json.loads(line), line.encode()) for (line,) in found]
    return once([(key_of(row), line[-1 - row["size"] : -1]) for row, line in rows if row["kind"] == "annotation"])


def duckdb_objects(folder: Path) -> Found:
    """Return what DuckDB finds in lines whose columns it made out by itself."""
    found = duckdb.read_json(f"{folder}/lines/*.jsonl.zst").filter("kind = 'annotation'")
    columns = f"{WANTED}, to_json(document.openlabel.metadata)"
    return once([(Key(*row[:-1]), dense(json.loads(row[-1]))) for row in found.project(columns).fetchall()])


def pandas_lines(folder: Path) -> Found:
    """Return what pandas finds in lines."""
    paths = (folder / "lines").glob("*.jsonl.zst")
    frame = pd.concat([pd.read_json(path, lines=True, dtype=False) for path in paths])
    rows = frame[frame["kind"] == "annotation"].to_dict("records")
    return once([(key_of(row), row["document"]) for row in rows])


def pyarrow_lines(folder: Path) -> Found:
    """Return what pyarrow finds in lines: it makes columns of documents, so what one lacks is null there."""
    rows = [row for path in (folder / "lines").glob("*.jsonl.zst") for row in lines.read_json(path).to_pylist()]
    chosen = [row for row in rows if row["kind"] == "annotation"]
    return once([(key_of(row), dense(row["document"])) for row in chosen])


def dense(value: Any) -> Any:
    """Return JSON without what is null."""
    if isinstance(value, dict):
        return {name: dense(each) for name, each in value.items() if each is not None}
    return [dense(each) for each in value] if isinstance(value, list) else value


def spaced(document: bytes) -> bytes:
    """Return a document as it stands in a line."""
    return document.replace(b"\n", b" ").replace(b"\r", b" ")


def metadata(document: bytes) -> Any:
    """Return a part that every document has: of all of it, DuckDB makes columns that depend on all other documents."""
    return json.loads(document)["openlabel"]["metadata"]


#: Each tool, and what it can see of a document.
TOOLS: Mapping[Callable[[Path], Found], Callable[[bytes], Any]] = {
    duckdb_columns: bytes,
    pandas_columns: bytes,
    pyarrow_columns: bytes,
    duckdb_lines: spaced,
    duckdb_objects: metadata,
    pandas_lines: json.loads,
    pyarrow_lines: json.loads,
}


async def seen_by_all(folder: Path, platform: KognicPlatform) -> None:
    """Check that every tool, and `syncer.read`, finds what the platform serves: no row more, none less, none older."""
    expected = served(platform)
    for tool, view in TOOLS.items():
        found = await anyio.to_thread.run_sync(tool, folder)
        assert found.keys() == expected.keys(), tool.__name__
        wrong = [key for key, document in expected.items() if found[key] != view(document)]
        assert not wrong, (tool.__name__, wrong[:3])
    for place in ("lines", "columns"):
        async with read(str(folder / place)) as labels:
            rows = [label async for label in labels.items() if label.key.kind == "annotation"]
        assert (
            once([(Key._make((*map(str, label.key[1:]), label.version)), label.content) for label in rows]) == expected
        )


async def through(folder: Path, annotations: int, shard: int) -> None:
    """Sync into both kinds of table, correct and delete a part of it, and sync again; look each time."""
    async with KognicPlatform(annotations, size=1200, page_size=min(500, annotations // 3)) as platform:
        pair = {"client_id": platform.auth.client_id, "client_secret": platform.auth.client_secret}
        chosen = {"project": PROJECT, "batch": BATCH, "type": TYPE}
        (folder / "syncer.yaml").write_text(CONFIG.format(url=platform.url, shard=shard, **pair, **chosen))

        async def run(*words: str) -> None:
            (await anyio.to_thread.run_sync(lambda: syncer(*words, cwd=folder))).ok()

        await run("sync", "-q")
        await seen_by_all(folder, platform)
        inputs = platform.inputs
        for number, each in enumerate(inputs[::9]):
            platform.world.correct(each, SPREAD if number % 4 == 0 else None)
        for each in inputs[1::11]:
            platform.world.delete(each)
        for each in inputs[2::23]:
            if each.annotation is not None:
                platform.world.invalidate(each.scene)
        platform.seed(shard // 3)
        await run("sync", "-q", "--max-delete", "1000000")
        assert annotations * 0.8 < len(served(platform)) < annotations + shard // 3
        for place, ending in (("lines", "jsonl.zst"), ("columns", "parquet")):
            assert len(list((folder / place).glob(f"*.{ending}"))) > 2
        await seen_by_all(folder, platform)
        await run("verify", "tables", "--deep", "-q")


async def test_every_tool_reads_what_kognic_serves(tmp_path: Path) -> None:
    """300 annotations in Parquet and in lines; DuckDB, pandas, pyarrow and `syncer.read` agree."""
    await through(tmp_path, 300, 100)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_tool_reads_ten_thousand(tmp_path: Path) -> None:
    """10,000 annotations: the same."""
    await through(tmp_path, 10_000, 3000)
