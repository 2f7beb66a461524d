"""Later runs: only what was corrected is fetched again; what was invalidated is told from what was not seen."""

import json
from pathlib import Path

import pytest

from tests.emulators.kognic import PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.world import Input
from tests.support.command import Ended
from tests.support.exporting import same_documents
from tests.support.kognic_export import HASTY, Exporter, named, numbers


async def correct_five(folder: Path, annotations: int, page_size: int) -> None:
    """Export, find nothing new, then five corrections: exactly five documents are fetched."""
    async with KognicPlatform(annotations, size=600, page_size=page_size) as platform:
        exporter = Exporter(folder, platform)
        (await exporter.export("out.zip")).ok()
        assert set(platform.traffic.content.values()) == {1}
        platform.traffic.clear()
        idle = (await exporter.export("out.zip")).ok()
        assert numbers(idle, "listed", "stored", "unchanged", "deleted") == (annotations, 0, annotations, 0)
        assert not platform.traffic.content
        assert platform.traffic.requests["search"] == -(-annotations // page_size)
        corrected = platform.inputs[:: annotations // 5][:5]
        for each in corrected:
            platform.world.correct(each)
        platform.traffic.clear()
        ended = (await exporter.export("out.zip")).ok()
        assert numbers(ended, "stored", "deleted") == (5, 0)
        assert platform.traffic.content == {each.annotation.uuid: 1 for each in corrected if each.annotation}
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


async def test_five_corrections_of_a_thousand(tmp_path: Path) -> None:
    """With nothing new no content is downloaded; with five corrections of 1,000, exactly five documents."""
    await correct_five(tmp_path, 1000, 250)


@pytest.mark.slow
async def test_five_corrections_of_ten_thousand(tmp_path: Path) -> None:
    """With nothing new no content is downloaded; with five corrections of 10,000, exactly five documents."""
    await correct_five(tmp_path, 10_000, 500)


async def test_an_invalidated_scene_is_tombstoned(tmp_path: Path) -> None:
    """An invalidated scene and a deleted input leave archive and manifest, which tells the reason of the one."""
    async with KognicPlatform(40, page_size=10) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        invalid, deleted = platform.inputs[3], platform.inputs[17]
        platform.world.invalidate(invalid.scene, "duplicate")
        platform.world.delete(deleted)
        platform.traffic.clear()
        ended = (await exporter.export("out.zip")).ok()
        assert numbers(ended, "stored", "deleted") == (0, 2)
        assert not platform.traffic.content
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        rows = await exporter.rows("out.zip")
        assert f"{invalid.scene.uuid}.json" not in rows
        assert f"{deleted.scene.uuid}.json" not in rows
        assert len([path for path in rows if not path.startswith("_context/")]) == 38
        segments = "".join(path.read_text() for path in (tmp_path / "_manifest").rglob("*.jsonl"))
        removed = [json.loads(line) for line in segments.splitlines() if '"op":"delete"' in line]
        reasons = {row["key"]["item"]: row.get("reason", "") for row in removed}
        assert reasons.keys() == {invalid.scene.uuid, deleted.scene.uuid}
        assert "invalidated" in reasons[invalid.scene.uuid]
        assert "duplicate" in reasons[invalid.scene.uuid]


async def test_a_broken_listing_tombstones_nothing(tmp_path: Path) -> None:
    """After a listing that fails on page 3 of 4 nothing is tombstoned and the exit is 75; the next run does it."""
    async with KognicPlatform(40, page_size=10) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        before = exporter.documents("out.zip")
        platform.world.invalidate(platform.inputs[3].scene)
        platform.world.invalidate(platform.inputs[35].scene)
        fault = platform.faults.add("status", route="search", after=2, times=None, status=503)
        ended = await exporter.export("out.zip", *HASTY)
        assert fault.hits > 0
        assert ended.code == 75, ended.err
        assert numbers(ended, "deleted") == (0,)
        assert exporter.documents("out.zip") == before
        platform.faults.clear()
        healed = (await exporter.export("out.zip")).ok()
        assert numbers(healed, "deleted") == (2,)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


@pytest.mark.parametrize("links", ["opaque", "goog"])
async def test_links_that_run_out_while_a_page_downloads(tmp_path: Path, links: str) -> None:
    """Links that live a fifth of the time that their page takes: no item is owed, no page is lost."""
    # Goog's links count in whole seconds, and sources can see their end; the opaque ones end by surprise.
    life, latency = (0.3, 0.15) if links == "opaque" else (1.0, 0.5)
    async with KognicPlatform(24, page_size=20, links=links, link_seconds=life) as platform:
        platform.faults.add("latency", route="storage", seconds=latency, times=None)
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip", "--set", "limits.concurrency=2")).ok()
        assert numbers(ended, "stored", "owed") == (24, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


@pytest.mark.slow
async def test_links_of_two_seconds_while_a_page_takes_ten(tmp_path: Path) -> None:
    """Links that live 2 s while a page takes 10 s to download: no item is owed, no page is lost."""
    async with KognicPlatform(400, page_size=200, link_seconds=2) as platform:
        platform.faults.add("latency", route="storage", seconds=0.2, times=None)
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip", "--set", "limits.concurrency=4")).ok()
        assert numbers(ended, "stored", "owed") == (400, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        # A page is listed anew for all that wait, not for each of them, and few links end on their way.
        assert platform.traffic.requests["search"] < 40
        assert platform.traffic.requests["storage"] < 440


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_every_answer_to_a_dead_link_is_understood(tmp_path: Path, status: int) -> None:
    """Whatever storage answers to a link that ran out, a new one is asked for."""
    async with KognicPlatform(6, links="opaque", stale_status=status, dead_links=6) as platform:
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip")).ok()
        assert numbers(ended, "stored", "owed") == (6, 0)
        assert platform.traffic.stale >= 1


async def test_a_token_of_a_second(tmp_path: Path) -> None:
    """While a run outlives many tokens, at most one is asked for at a time, and nothing fails."""
    async with KognicPlatform(40, lifetime=1, page_size=10) as platform:
        platform.world.projects[PROJECT].typed = "missing"
        platform.faults.add("latency", seconds=0.15, times=None)
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip", what=("--project", PROJECT))).ok()
        assert numbers(ended, "stored", "owed") == (40, 0)
        assert platform.auth.peak == 1
        assert 2 <= platform.auth.grants.total() < platform.traffic.requests.total() / 4


async def test_a_token_that_ends_before_its_time(tmp_path: Path) -> None:
    """Tokens that are ended on the server are replaced once for all requests that are refused."""
    async with KognicPlatform(60, page_size=10) as platform:
        platform.world.projects[PROJECT].typed = "missing"
        platform.faults.add("latency", route="scene-annotations", seconds=0.1, times=None)
        exporter = Exporter(tmp_path, platform)
        ending = platform.faults.add("status", route="scene-annotations", after=20, times=8, status=401)
        ended = (await exporter.export("out.zip", what=("--project", PROJECT))).ok()
        assert numbers(ended, "stored", "owed") == (60, 0)
        assert ending.hits >= 1
        assert platform.auth.peak == 1


async def test_a_document_that_storage_refuses(tmp_path: Path) -> None:
    """A 403 of storage on one item: the run goes on, and the document comes from the annotation's own route."""
    async with KognicPlatform(30, page_size=10) as platform:
        wanted = platform.inputs[12]
        platform.faults.add("status", route="storage", match=uuid_of(wanted), times=None, status=403)
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip")).ok()
        assert numbers(ended, "stored", "owed") == (30, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        assert platform.traffic.requests["single"] == 1


@pytest.mark.parametrize("status", [403, 500])
async def test_a_document_that_is_nowhere_to_be_had(tmp_path: Path, status: int) -> None:
    """One item that neither storage nor its own route gives: the run goes on, it is owed, and later fetched alone."""
    async with KognicPlatform(30, page_size=10) as platform:
        wanted = platform.inputs[12]
        platform.faults.add("status", route="storage", match=uuid_of(wanted), times=None, status=status)
        platform.faults.add("status", route="single", match=wanted.scene.uuid, times=None, status=status)
        exporter = Exporter(tmp_path, platform)
        ended = await exporter.export("out.zip", *HASTY)
        assert (ended.code, numbers(ended, "stored", "owed")) == (3, (29, 1)), ended.err
        assert str(status) in ended.err.rpartition(wanted.scene.uuid)[2]
        platform.faults.clear()
        platform.traffic.clear()
        assert numbers((await exporter.export("out.zip")).ok(), "replayed", "owed") == (1, 0)
        # What is owed is asked for by its name: its own route carries the document within.
        assert (platform.traffic.requests["single"], platform.traffic.content.total()) == (1, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


async def test_throttling_and_bad_days_lose_nothing(tmp_path: Path) -> None:
    """429, 503, resets, cut bodies and broken JSON on either origin, now and then: everything arrives."""
    async with KognicPlatform(120, size=6000, page_size=20) as platform:
        faults = platform.faults
        faults.add("rate", route="storage", per_second=150, times=None, retry_after=0.05)
        faults.add("status", route="search", match="cursorId=40", status=503)
        faults.add("reset", route="search", match="cursorId=60")
        faults.add("cut", route="search", match="cursorId=100", keep=30)
        faults.add("html", route="token", status=502)
        for number, kind in ((5, "reset"), (25, "cut"), (45, "status"), (65, "garbage"), (85, "html")):
            faults.add(kind, route="storage", match=uuid_of(platform.inputs[number]), status=500)
        exporter = Exporter(tmp_path, platform)
        ended = await exporter.export("out.zip")
        assert ended.code in {0, 3}, ended.err
        faults.clear()
        again = (await exporter.export("out.zip")).ok()
        assert numbers(again, "owed") == (0,)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        assert numbers(ended, "stored")[0] >= 118


async def test_quick_passes_look_at_what_moved(tmp_path: Path) -> None:
    """With `full_every`, batches that stood still are not listed; what moves a batch, or its requests, is found."""
    async with KognicPlatform(20, page_size=5) as platform:
        quick = platform.seed(10, batch="batch-2")
        exporter, what = Exporter(tmp_path, platform), ("--project", PROJECT, "--batch", "*", "--annotation-type", TYPE)
        options = ("--set", "full_every=1d")
        (await exporter.export("out.zip", *options, what=what)).ok()
        platform.traffic.clear()
        idle = (await exporter.export("out.zip", *options, what=what)).ok()
        assert platform.traffic.requests["search"] == 0
        assert numbers(idle, "stored", "deleted") == (0, 0)
        assert "quick pass" in idle.err
        platform.world.correct(quick[3])
        moved = (await exporter.export("out.zip", *options, what=what)).ok()
        assert numbers(moved, "stored", "deleted") == (1, 0)
        listed = {line.path for line in platform.traffic.log if line.route == "search"}
        assert len(listed) == 1
        assert "batch-2" in listed.pop()
        platform.world.invalidate(quick[4].scene)
        assert numbers((await exporter.export("out.zip", *options, what=what)).ok(), "deleted") == (1,)
        assert numbers((await exporter.export("out.zip", *options, "--relist", what=what)).ok(), "listed") == (29,)
        assert sorted(exporter.documents("out.zip").values()) == sorted(platform.documents().values())


async def test_a_type_may_come_and_go(tmp_path: Path) -> None:
    """A type that is new in a later run joins; a project whose types were phased out meanwhile loses nothing."""
    async with KognicPlatform(6) as platform:
        exporter, what = Exporter(tmp_path, platform), ("--project", PROJECT, "--annotation-type", "*")
        (await exporter.export("out/", what=what)).ok()
        platform.seed(3, kind="lane")
        both: Ended = (await exporter.export("out/", what=what)).ok()
        assert numbers(both, "stored") == (3,)
        before = exporter.documents("out/")
        assert len(before) == 9
        platform.world.projects[PROJECT].typed = "missing"
        await exporter.export("out/", what=what)
        assert before.items() <= exporter.documents("out/").items()
        assert TYPE in platform.world.types(PROJECT)


def uuid_of(wanted: Input) -> str:
    """Return the UUID of the annotation of an input."""
    assert wanted.annotation is not None
    return wanted.annotation.uuid
