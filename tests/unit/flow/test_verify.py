"""Verification finds each kind of damage, and what is owed again heals it with exactly as many fetches."""

import hashlib
import os
from pathlib import Path

import pytest

from syncer.flow.verify import Finding, lost_containers, verify
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine


async def findings(engine: Engine, sink: str) -> list[Finding]:
    """Return everything that a deep verification of one sink finds."""
    made = next(each for each in engine.opened() if each.name == sink)
    return [finding async for finding in verify(made, engine.name, deep=True)]


async def healed(engine: Engine, sink: str, found: list[Finding]) -> Exit:
    """Owe again what was found, as `repair` does, and run."""
    keys = [finding.key for finding in found if finding.key is not None]
    lost = lost_containers(found)
    async with engine.store() as store:
        await store.invalidate(engine.name, sink, keys, "repair", lost)
    await next(each for each in engine.opened() if each.name == sink).set_aside(lost)
    return (await engine.run()).exit_code()


async def test_a_calm_destination_has_no_findings(tmp_path: Path) -> None:
    """Folder and archive are exactly what their manifests say."""
    engine = Engine(tmp_path, MemorySource(MemoryPlatform(12)))
    await engine.run()
    assert await findings(engine, "lake") == []
    assert await findings(engine, "zip") == []


async def test_a_flipped_byte_a_missing_and_an_extra_object_are_found_and_two_fetches_heal(tmp_path: Path) -> None:
    """Each kind is named; repairing fetches the two, and leaves the stranger's file alone."""
    source = MemorySource(MemoryPlatform(12))
    engine = Engine(tmp_path, source)
    await engine.run()
    (tmp_path / "lake" / "3.json").unlink()
    flipped = tmp_path / "lake" / "4.json"
    data = bytearray(flipped.read_bytes())
    data[5] ^= 1
    flipped.write_bytes(data)
    (tmp_path / "lake" / "mine.txt").write_text("not yours")
    found = await findings(engine, "lake")
    assert sorted((finding.kind, finding.path) for finding in found) == [
        ("damaged", "4.json"),
        ("extra", "mine.txt"),
        ("missing", "3.json"),
    ]
    source.opened.clear()
    assert await healed(engine, "lake", found) is Exit.DONE
    assert sum(source.opened.values()) == 2
    assert [finding.kind for finding in await findings(engine, "lake")] == ["extra"]


async def test_a_flipped_byte_in_an_archive_costs_one_fetch(tmp_path: Path) -> None:
    """The damaged entry is replaced; the others are copied as they are."""
    source = MemorySource(MemoryPlatform(12, size=5000))
    engine = Engine(tmp_path, source)
    await engine.run()
    archive = next((tmp_path / "zip").glob("*.zip"))
    data = bytearray(archive.read_bytes())
    data[data.index(b"5.json") + 20] ^= 0xFF
    stat = archive.stat()
    archive.write_bytes(data)
    os.utime(archive, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found = await findings(engine, "zip")
    assert [(finding.kind, finding.path) for finding in found] == [("damaged", "5.json"), ("damaged", archive.name)]
    source.opened.clear()
    assert await healed(engine, "zip", found) is Exit.DONE
    assert sum(source.opened.values()) == 1
    assert await findings(engine, "zip") == []


@pytest.mark.parametrize("text", ["not a digest", "abcd", ""])
async def test_a_digest_that_is_none_is_damage(tmp_path: Path, text: str) -> None:
    """Anybody may have written the manifest: a row without a real sha256 is a finding, and is healed like any other."""
    source = MemorySource(MemoryPlatform(12))
    engine = Engine(tmp_path, source)
    await engine.run()
    (segment,) = (tmp_path / "lake/_manifest/job").rglob("*.jsonl")
    good = segment.read_bytes()
    digest = hashlib.sha256((tmp_path / "lake" / "3.json").read_bytes()).hexdigest()
    bad = good.replace(digest.encode(), text.encode())
    segment.write_bytes(bad)
    head = segment.parents[1] / "HEAD.json"
    named = (hashlib.sha256(each).hexdigest().encode() for each in (good, bad))
    head.write_bytes(head.read_bytes().replace(*named))
    lake = engine.opened()[0]
    assert [found.path async for found in verify(lake, "job", deep=False)] == ["3.json"]
    found = await findings(engine, "lake")
    assert [(finding.kind, finding.path) for finding in found] == [("damaged", "3.json")]
    assert await healed(engine, "lake", found) is Exit.DONE
    assert await findings(engine, "lake") == []


@pytest.mark.parametrize("harm", ["truncated", "gone"])
async def test_a_lost_archive_is_noticed_by_a_run_and_healed_by_repair(tmp_path: Path, harm: str) -> None:
    """A run says that somebody changed the destination (4); verification names the archive; repair fetches it all."""
    source = MemorySource(platform := MemoryPlatform(12, size=5000))
    engine = Engine(tmp_path, source)
    await engine.run()
    archive = next((tmp_path / "zip").glob("*.zip"))
    if harm == "gone":
        archive.unlink()
    else:
        archive.write_bytes(archive.read_bytes()[:-300])
    platform.put("13")
    assert (await engine.run()).exit_code() is Exit.DAMAGE
    found = await findings(engine, "zip")
    assert found
    assert await healed(engine, "zip", found) is Exit.DONE
    assert await findings(engine, "zip") == []
    assert len((await engine.outcome("zip")).rows) == 13
