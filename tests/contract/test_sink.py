"""What every destination promises. A new adapter is one more name in `SINKS`."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncer.blobs.memory import MemoryBlobs
from syncer.model.containers import ending_of
from syncer.model.entries import Content, Entry, SpooledFile
from syncer.model.errors import SettingsError, TooLarge
from syncer.model.refs import AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.model.rows import ManifestRow
from syncer.ports import Sink, SinkPlugin
from syncer.sinks import archive, memory, prefix
from syncer.sinks.prefix.options import PrefixOptions
from syncer.sinks.tables import JSONL, PARQUET_FILES
from tests.support.leg import Leg
from tests.support.stored import entry, key, manifest_row, partition, sha256, tools


def _zip(mode: str, upload: str = "") -> Callable[[Path], Sink]:
    def make(base: Path) -> Sink:
        options = {"url": "file:out", "mode": mode, "max_part_size": 1 << 16}
        if upload:
            options |= {"url": f"memory:{base}", "upload": upload}
        given = replace(tools("nightly"), spool=base / "spool")
        return archive.PLUGIN.create(archive.PLUGIN.options.model_validate(options), base, given)

    return make


def _table(plugin: SinkPlugin, *, bucket: bool = False, **options: object) -> Callable[[Path], Sink]:
    def make(base: Path) -> Sink:
        url = f"memory:{base}" if bucket else "file:out"
        given = replace(tools("nightly"), spool=base / "spool")
        values = {"url": url, "shard_size": 1 << 16, **options}
        return plugin.create(plugin.options.model_validate(values), base, given)

    return make


SINKS: dict[str, Callable[[Path], Sink]] = {
    "prefix": lambda base: prefix.PLUGIN.create(PrefixOptions(url="file:out"), base, tools()),
    "memory": lambda _: memory.MemorySink(memory.MemoryOptions(), MemoryBlobs(), tools()),
    "zip-current": _zip("current"),
    "zip-append": _zip("append"),
    "zip-delta": _zip("delta"),
    "zip-spool-current": _zip("current", "spool"),
    "zip-spool-append": _zip("append", "spool"),
    "zip-volumes-current": _zip("current", "volumes"),
    "zip-volumes-delta": _zip("delta", "volumes"),
    "jsonl-current": _table(JSONL),
    "jsonl-items": _table(JSONL, shard_items=2),
    "jsonl-gz-current": _table(JSONL, compression="gz"),
    "jsonl-zst-append": _table(JSONL, compression="zst", mode="append"),
    "jsonl-gz-delta": _table(JSONL, compression="gz", mode="delta"),
    "jsonl-spool-append": _table(JSONL, bucket=True, mode="append"),
    "jsonl-volumes-zst": _table(JSONL, bucket=True, upload="volumes", compression="zst"),
    "parquet-current": _table(PARQUET_FILES),
    "parquet-append": _table(PARQUET_FILES, mode="append"),
    "parquet-delta": _table(PARQUET_FILES, mode="delta"),
    "parquet-spool": _table(PARQUET_FILES, bucket=True),
    "parquet-volumes": _table(PARQUET_FILES, bucket=True, upload="volumes"),
}


class CrashError(Exception):
    """The process dies here."""


@pytest.fixture(params=sorted(SINKS))
def leg(request: pytest.FixtureRequest, tmp_path: Path) -> Leg:
    """Return an empty destination, bound, with one partition."""
    sink = SINKS[request.param](tmp_path)
    sink.bind(frozenset({"project"}), {})
    return Leg(sink, partition())


def exact(leg: Leg) -> bool:
    """Tell whether nothing but what is current may lie there."""
    return leg.sink.immediate or leg.sink.layout.get("mode") == "current"


async def agrees(leg: Leg) -> None:
    """Hold a scan against the rows."""
    for deep in (True, False):
        found, expected = await leg.found(deep=deep), leg.expected(deep=deep)
        assert expected <= found
        assert found == expected or not exact(leg)


def batch(*items: str, version: str = "1", size: int = 10) -> list[Entry]:
    """Return an entry for each item, with a body that names it and its version."""
    return [entry(key(item), f"{item}@{version};".encode() * size, version=version) for item in items]


async def test_what_is_sealed_is_received(leg: Leg) -> None:
    """A seal names every entry since the last one, in the order of writing, with size and digest; then none again."""
    async with leg.session() as session:
        await session.write(batch("a", "b"))
        await session.write(batch("c"))
        seal = await session.seal()
        assert [(r.key, r.version, r.path, r.size, r.sha256) for r in seal.receipts] == [
            (e.key, e.version, e.path, e.size, e.sha256) for e in batch("a", "b", "c")
        ]
        assert (await session.seal()).receipts == ()
        await session.write([])
        assert (await session.seal()).receipts == ()


async def test_what_was_written_is_read_and_found(leg: Leg) -> None:
    """After a publish each row reads back as written, and a scan agrees with the receipts."""
    await leg.store(batch("a", "b"), batch("c"))
    assert await leg.bodies() == {e.key.item: e.body for e in batch("a", "b", "c")}
    await agrees(leg)


async def test_an_empty_session_changes_nothing(leg: Leg) -> None:
    """Opening, sealing and publishing without an entry leaves a destination as it was, from the first time on."""
    await leg.store()
    assert await leg.found() == set()
    await leg.store(batch("a"))
    before = await leg.found()
    await leg.store()
    await leg.store([])
    assert await leg.found() == before


async def test_the_same_path_again_replaces(leg: Leg) -> None:
    """The last body written at a path is the one that is read, within a batch, a seal, a session and over sessions."""
    async with leg.session() as session:
        await session.write([*batch("a", version="1"), *batch("a", version="2")])
        await session.write(batch("a", version="3"))
        assert await leg.commit(session) == 3
        await session.write([leg.replacing(e) for e in batch("a", version="4")])
        await leg.commit(session)
        await leg.publish(session)
    assert await leg.bodies() == {"a": batch("a", version="4")[0].body}
    await agrees(leg)
    await leg.store([leg.replacing(e) for e in batch("a", version="5")])
    assert await leg.bodies() == {"a": batch("a", version="5")[0].body}
    await agrees(leg)


async def test_an_empty_body_is_a_body(leg: Leg) -> None:
    """A document of no bytes is stored and read back."""
    await leg.store([entry(key("a"), b"")])
    assert await leg.bodies() == {"a": b""}
    await agrees(leg)


async def test_removing_is_idempotent(leg: Leg) -> None:
    """Removed items are gone from what is current, the others stay; removing them again, or what never was, is fine."""
    await leg.store(batch("a", "b", "c"))
    gone = [leg.rows.pop(key("a")), leg.rows.pop(key("c"))]
    for _ in range(2):
        async with leg.session() as session:
            await session.remove(gone)
            await session.remove(gone)
            await session.remove([])
            await leg.commit(session)
            await leg.publish(session)
        assert await leg.bodies() == {"b": batch("b")[0].body}
        await agrees(leg)


async def test_removed_and_written_again(leg: Leg) -> None:
    """An item that comes back after its removal is there."""
    await leg.store(batch("a", "b"))
    async with leg.session() as session:
        await session.remove([leg.rows.pop(key("a"))])
        await leg.commit(session)
        await session.write(batch("a", version="2"))
        await leg.commit(session)
        await leg.publish(session)
    assert await leg.bodies() == {"b": batch("b")[0].body, "a": batch("a", version="2")[0].body}
    await agrees(leg)


async def crash(leg: Leg, *, sealed: list[Entry], unsealed: list[Entry], staged: bool = False) -> None:
    """Write and commit, write more, perhaps stage, and die."""
    async with leg.session() as session:
        await session.write(sealed)
        await leg.commit(session)
        await session.write(unsealed)
        if staged and not leg.sink.immediate:
            await session.stage()
        raise CrashError


async def test_rule_1_a_crash_before_the_seal_loses_nothing_sealed(leg: Leg) -> None:
    """After a crash a session goes on from the last seal's token: sealed entries are there."""
    for staged in (False, True):
        with pytest.raises(CrashError):
            await crash(leg, sealed=batch(f"a{staged}"), unsealed=batch(f"b{staged}", "lost"), staged=staged)
    assert key("bTrue") not in leg.rows
    await leg.store(batch("bFalse", "bTrue", "lost"))
    assert await leg.bodies() == {e.key.item: e.body for e in batch("aFalse", "aTrue", "bFalse", "bTrue", "lost")}
    await agrees(leg)


async def test_a_crash_during_an_update_keeps_the_old_version_or_has_the_new(leg: Leg) -> None:
    """A replacement that was sealed is published by the next session; one that was not is written again."""
    await leg.store(batch("a", "b"))
    updates = [leg.replacing(e) for e in batch("a", "b", version="2")]
    with pytest.raises(CrashError):
        await crash(leg, sealed=updates[:1], unsealed=updates[1:])
    await leg.store([leg.replacing(e) for e in batch("b", version="2")])
    assert await leg.bodies() == {e.key.item: e.body for e in batch("a", "b", version="2")}
    await agrees(leg)


async def test_the_crashed_and_the_undisturbed_end_alike(leg: Leg, tmp_path: Path) -> None:
    """Crashing between any two steps, and going on, ends with the same entries as never crashing."""
    parts = [batch(f"{n}a", f"{n}b", size=300) for n in range(6)]
    for part in parts:
        with pytest.raises(CrashError):
            await crash(leg, sealed=part[:1], unsealed=part[1:])
        await leg.store(part[1:])
    assert await leg.bodies() == {e.key.item: e.body for part in parts for e in part}
    await agrees(leg)


async def test_rule_1_publishing_rolls_forward(leg: Leg) -> None:
    """A swap list that was recorded is carried out by the next session, however often it was begun before."""
    await leg.store(batch("a"))
    if leg.sink.immediate:
        async with leg.session() as session:
            assert await session.stage() is None
            assert (await session.publish(b"")).containers == ()
            await session.settle()
        await agrees(leg)
        return
    with pytest.raises(CrashError):
        await die_publishing(leg, published=False)
    with pytest.raises(CrashError):
        await die_publishing(leg, published=True)
    async with leg.session() as session:
        assert leg.staged is not None
        first = await session.publish(leg.staged)
        assert await session.publish(leg.staged) == first
        leg.record(first)
        await session.settle()
        await session.settle()
        await session.write(batch("c"))
        await leg.commit(session)
        await leg.publish(session)
    assert await leg.bodies() == {e.key.item: e.body for e in batch("a", "b", "c")}
    await agrees(leg)


async def die_publishing(leg: Leg, *, published: bool) -> None:
    """Record a swap list, perhaps carry it out, and die before that is recorded."""
    async with leg.session() as session:
        if leg.staged is None:
            await session.write(batch("b"))
            await leg.commit(session)
            leg.staged = await session.stage()
        assert leg.staged is not None
        if published:
            await session.publish(leg.staged)
        raise CrashError


async def test_many_sessions_after_one_another(leg: Leg) -> None:
    """Additions, updates and removals of many sessions add up."""
    expected: dict[str, bytes | SpooledFile] = {}
    for turn in range(5):
        changed = batch(*(str(n) for n in range(turn, turn + 6)), version=str(turn), size=200)
        gone = [leg.rows.pop(key(str(turn)))] if turn else []
        async with leg.session() as session:
            await session.remove(gone)
            await leg.commit(session)
            await session.write([leg.replacing(e) for e in changed])
            await leg.commit(session)
            await leg.publish(session)
        expected |= {e.key.item: e.body for e in changed}
        assert await leg.bodies() == expected
        await agrees(leg)


async def test_a_spooled_body_arrives_whole(leg: Leg, tmp_path: Path) -> None:
    """A body that lies in a file is stored like any other; the file is left to its owner."""
    data = bytes(range(256)) * 5_000
    source = tmp_path / "spooled"
    source.write_bytes(data)
    big = entry(key("big"), SpooledFile(source, len(data), sha256(data)))
    await leg.store([*batch("a"), big, *batch("b")])
    assert source.exists()
    assert await leg.bodies() == {"a": batch("a")[0].body, "big": data, "b": batch("b")[0].body}
    await agrees(leg)


async def test_reading_is_bounded_and_absence_is_none(leg: Leg) -> None:
    """A row whose bytes are missing reads as None; one larger than the limit is refused."""
    await leg.store(batch("a"))
    row = leg.rows[key("a")]
    assert await leg.sink.read(manifest_row(row), row.size) == batch("a")[0].body
    with pytest.raises(TooLarge):
        await leg.sink.read(manifest_row(row), row.size - 1)
    missing = ManifestRow("put", key("x"), "1", "x.json", row.container, 1, "", {}, "run", "")
    assert await leg.sink.read(missing, 100) is None


@pytest.mark.parametrize(
    "path", ["../x.json", "/etc/x.json", "a/../../x", "a//b", "_manifest/street/HEAD.json", "c:/x", ""]
)
async def test_unsafe_names_are_refused(leg: Leg, path: str, tmp_path: Path) -> None:
    """A name that leaves the destination, or is the manifest's, is neither written, read nor removed."""
    bad = Entry(key("a"), "1", path, Content(b"x"))
    outside = tmp_path / "x.json"
    outside.write_bytes(b"mine")
    async with leg.session() as session:
        with pytest.raises(SettingsError):
            await session.write([*batch("ok"), bad])
        assert (await session.seal()).receipts == ()
    assert outside.read_bytes() == b"mine"
    with suppress(SettingsError):
        assert (
            await leg.sink.read(ManifestRow("put", bad.key, "1", path, None, 1, bad.sha256, {}, "run", ""), 10) is None
        )


async def test_names_and_units_are_pure(leg: Leg) -> None:
    """The same partition and item always have the same safe unit, path and claims."""
    for project in ("7", "../..", "a/b", "CON", "x" * 300):
        where = Partition(PartitionKey(project), {"title": project})
        ref = AnnotationRef(ItemKey("annotation", project, None, None, "../1"), "1")
        path = leg.sink.path_of(where, ref)
        assert path == leg.sink.path_of(where, ref)
        assert ".." not in path.split("/")
        assert leg.sink.unit_of(where) == leg.sink.unit_of(where)
        assert "/" not in leg.sink.unit_of(where)
        unit = Leg(leg.sink, where).unit
        assert leg.sink.claims(unit) == leg.sink.claims(unit)


async def test_a_written_item_lies_within_the_claim(leg: Leg) -> None:
    """What a session writes is below the folders, or in archives of the name, that its unit claims."""
    leg.sink.bind(frozenset(), {})
    ref = AnnotationRef(key("1"), "1")
    path = leg.sink.path_of(leg.partition, ref)
    await leg.store([Entry(ref.key, "1", path, Content(b"x"))])
    (row,) = leg.rows.values()
    name = row.container or row.path
    assert any(name.startswith(claim.removesuffix(ending_of(claim) or "")) for claim in leg.sink.claims(leg.unit))


async def test_a_manifest_lies_beside_the_data(leg: Leg) -> None:
    """The manifest of a job can be moved beside the data, and a scan does not take it for an item."""
    await leg.store(batch("a"))
    manifest = leg.sink.manifest("street")
    assert await manifest.move_head(containers=list(leg.containers.values()), complete=True) == 1
    head = await manifest.head()
    assert head is not None
    assert head.containers == leg.containers
    await agrees(leg)


async def test_two_units_share_a_root(leg: Leg) -> None:
    """Sessions of different units of one sink may be open at the same time and do not disturb each other."""
    leg.sink.bind(frozenset(), {})
    other = Leg(leg.sink, partition("8"))

    async def work(one: Leg) -> None:
        project = one.partition.key.project
        for n in range(5):
            item = ItemKey("annotation", project, None, None, str(n))
            path = one.sink.path_of(one.partition, AnnotationRef(item, "1"))
            await one.store([entry(item, f"{project}/{n}".encode(), path=path)])

    await asyncio.gather(work(leg), work(other))
    for one in (leg, other):
        assert await one.bodies() == {str(n): f"{one.partition.key.project}/{n}".encode() for n in range(5)}


@pytest.mark.parametrize("name", sorted(set(SINKS) - {"memory"}))
async def test_rule_10_two_identical_runs_end_alike(name: str, tmp_path: Path) -> None:
    """The same entries in the same order give the same destination, byte for byte."""
    trees: list[dict[str, bytes]] = []
    for run in ("one", "two"):
        base = tmp_path / run
        sink = SINKS[name](base)
        sink.bind(frozenset({"project"}), {})
        leg = Leg(sink, partition())
        await leg.store(batch("a", "b"), batch("c"))
        await leg.store([leg.replacing(e) for e in batch("b", version="2")])
        trees.append(tree(base / "out"))
    assert trees[0] == trees[1]


def tree(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder that is not private."""
    files = (path for path in root.rglob("*") if path.is_file() and "_manifest" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files if not path.name.startswith(".")}
