"""What an export of Kognic holds: what the vendor's own client returns, to the byte, and how it is asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.support.exporting import counts, same_documents
from tests.support.kognic_export import Exporter, named, numbers
from tests.support.kognic_io import archive, ask, entries


@pytest.mark.parametrize("habits", [{}, {"bare": True, "links": "opaque", "gzip": False}])
async def test_the_archive_is_that_of_the_documented_recipe(tmp_path: Path, habits: dict[str, Any]) -> None:
    """One line makes the archive of the vendor's zip example: same names, equal JSON; here the very bytes served."""
    async with KognicPlatform(25, page_size=10, **habits) as platform:
        theirs = entries(await ask(platform, lambda client: archive(client, PROJECT, BATCH, TYPE)))
        platform.traffic.clear()
        # The vendor's client puts cursors into addresses as they are; here they may be any text.
        platform.habits.cursors = "text"
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip")).ok()
        ours = exporter.documents("out.zip")
        assert {name: json.loads(data) for name, data in ours.items()} == theirs
        same_documents(ours, named(platform.documents()))
        assert counts(ended, "listed", "stored", "owed") == {"listed": 25, "stored": 25, "owed": 0}
        # One listing request a page, one content request an item, no credential at storage, connections reused.
        assert platform.traffic.requests["search"] == 3
        assert set(platform.traffic.content.values()) == {1}
        assert platform.traffic.leaked == 0
        assert platform.auth.grants["client_credentials"] <= 1 + 1
        assert platform.traffic.connections["storage"] < 25


async def test_all_projects_batches_and_types(tmp_path: Path) -> None:
    """Globs select what the client lists; each project, batch and type has its folder, with the client's JSON."""
    async with KognicPlatform(4, page_size=3) as platform:
        platform.seed(2, batch="batch 2/ä", kind="lane & road")
        platform.seed(3, project="city?", batch="b")
        everything = ("--project", "*", "--batch", "*", "--annotation-type", "*")
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out/", what=everything)).ok()
        rows = [row for row in (await exporter.rows("out/")).values() if row["kind"] == "annotation"]
        found = {
            (row["project"], row["batch"], row["annotation_type"], row["item"]): row["path"]
            for row in (_flat(row) for row in rows)
        }
        ours = exporter.documents("out/")
        for project in ("city?", PROJECT):
            for batch in platform.world.projects[project].batches:
                for kind in platform.world.types(project, batch):
                    for annotation in platform.world.listed(project, batch, kind):
                        path = found.pop((project, batch, kind, annotation.input.scene.uuid))
                        assert ours.pop(path) == platform.document(annotation)
        assert (found, ours) == ({}, {})


async def test_projects_and_batches_are_those_of_the_client(tmp_path: Path) -> None:
    """`projects` and `batches` show the ids and titles that the vendor's client returns."""
    async with KognicPlatform(1) as platform:
        platform.seed(1, batch="batch-2")
        platform.seed(1, project="city")
        theirs = await ask(platform, lambda client: client.project.get_projects())
        their_batches = await ask(platform, lambda client: client.project.get_project_batches(PROJECT))
        exporter, where = Exporter(tmp_path, platform), ("--set", f"url={platform.url}")
        ours = (await exporter.run("projects", "kognic", *where, "-o", "json")).ok().json()
        assert [(row["id"], row["title"]) for row in ours] == [(each.project, each.title) for each in theirs]
        ours = (await exporter.run("batches", "kognic", PROJECT, *where, "-o", "json")).ok().json()
        assert [(row["id"], row["title"]) for row in ours] == [(each.batch, each.title) for each in their_batches]


async def test_cuboids_are_turned_on_every_page(tmp_path: Path) -> None:
    """`iso_rotated_cuboids` gives what the client gives with it; switching it on makes every item changed."""
    async with KognicPlatform(5, page_size=2) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        platform.traffic.clear()
        ended = (await exporter.export("out.zip", "--set", "iso_rotated_cuboids=true")).ok()
        same_documents(exporter.documents("out.zip"), named(platform.documents(iso=True)))
        assert numbers(ended, "stored") == (5,)
        queries = [line.query for line in platform.traffic.log if line.route == "search"]
        assert len(queries) == 3
        assert all("useDefaultCartesian=true" in query for query in queries)


async def test_one_annotation_is_printed_as_it_is_served(tmp_path: Path) -> None:
    """`get` by scene and type, by input and by id prints what is served, and what the vendor's client returns."""
    async with KognicPlatform(2) as platform:
        exporter, where = Exporter(tmp_path, platform), ("--set", f"url={platform.url}")
        wanted = platform.inputs[1]
        assert wanted.annotation is not None
        scene, number = wanted.scene.uuid, wanted.annotation.uuid
        theirs = [
            await ask(platform, lambda client: client.annotation.get_annotation(scene, TYPE).content),
            await ask(platform, lambda client: client.annotation.get_annotation_for_input(wanted.uuid).content),
            await ask(platform, lambda client: client.annotation.get_annotation_by_id(number).content),
        ]
        for parts, content in zip(((scene, TYPE), ("input", wanted.uuid), ("annotation", number)), theirs, strict=True):
            printed = (await exporter.run("get", "kognic", *parts, *where)).ok()
            assert printed.out.encode() == platform.document(wanted.annotation)
            assert json.loads(printed.out) == content


@pytest.mark.parametrize("parts", [("no-such-scene", TYPE), ("input", "no-such"), ("annotation", "no-such")])
async def test_one_annotation_that_is_not_there_is_named(tmp_path: Path, parts: tuple[str, str]) -> None:
    """`get` of something that does not exist ends with 78 and its name, and prints nothing."""
    async with KognicPlatform(1) as platform:
        missing = await Exporter(tmp_path, platform).run("get", "kognic", *parts, "--set", f"url={platform.url}")
        assert (missing.code, missing.out) == (78, "")
        assert "no-such" in missing.err


@pytest.mark.parametrize("typed", ["empty", "missing"])
async def test_a_project_without_types_is_walked(tmp_path: Path, typed: Any) -> None:
    """Where annotation types were phased out, the routes without a type find the same scenes and documents."""
    async with KognicPlatform(12, page_size=5) as platform:
        platform.world.projects[PROJECT].typed = typed
        unfinished = platform.world.add(next(iter(platform.world.requests.values())))
        exporter = Exporter(tmp_path, platform)
        ended = (await exporter.export("out.zip", what=("--project", PROJECT, "--batch", BATCH))).ok()
        assert numbers(ended, "stored", "owed") == (12, 0)
        expected = platform.documents()
        assert unfinished.scene.uuid not in expected
        assert sorted(exporter.documents("out.zip").values()) == sorted(expected.values())
        again = (await exporter.export("out.zip", what=("--project", PROJECT, "--batch", BATCH))).ok()
        assert numbers(again, "stored", "unchanged") == (0, 12)
        assert set(platform.traffic.content.values()) == {1}


@pytest.mark.parametrize("typed", ["empty", "missing"])
async def test_all_types_of_a_project_that_has_none_any_more(tmp_path: Path, typed: Any) -> None:
    """Where all types are wanted, a project that lost its types is walked without; a new one just has nothing yet."""
    async with KognicPlatform(7, page_size=5) as platform:
        platform.world.projects[PROJECT].typed = typed
        platform.world.batch("new", "empty")
        what = ("--project", "*", "--batch", "*", "--annotation-type", "*")
        ended = (await Exporter(tmp_path, platform).export("out.zip", what=what)).ok()
        assert numbers(ended, "stored", "owed", "frozen") == (7, 0, 0)
        found = Exporter(tmp_path, platform).documents("out.zip")
        assert sorted(found.values()) == sorted(platform.documents().values())
        # The new project gets its first annotation, of a type: nothing looks as if it had been taken away.
        platform.seed(2, project="new", batch="empty", kind="lane")
        again = (await Exporter(tmp_path, platform).export("out.zip", what=what)).ok()
        assert numbers(again, "stored", "frozen") == (2, 0)


async def test_two_annotations_of_a_scene_and_type_are_both_kept(tmp_path: Path) -> None:
    """A scene in two requests of a type has two annotations: both documents are stored, and stay stored."""
    async with KognicPlatform(3) as platform:
        second = platform.world.request(PROJECT, BATCH, TYPE)
        other = platform.world.finish(platform.world.add(second, platform.inputs[0].scene))
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        expected = sorted([*platform.documents().values(), platform.document(platform.inputs[0].annotation)])
        assert platform.document(other) in expected
        assert sorted(exporter.documents("out.zip").values()) == expected
        platform.traffic.clear()
        (await exporter.export("out.zip")).ok()
        assert sorted(exporter.documents("out.zip").values()) == expected
        assert not platform.traffic.content


async def test_what_is_announced_to_end_is_said(tmp_path: Path) -> None:
    """A `sunset-date` header of a route is warned of, once, with the date; the export is done all the same."""
    async with KognicPlatform(4, page_size=2) as platform:
        platform.habits.sunsets["search"] = "2026-12-01T00:00:00.000000Z"
        ended = (await Exporter(tmp_path, platform).export("out.zip")).ok()
        assert ended.err.count("2026-12-01") == 1


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest row with the parts of its key beside each other."""
    key = row.get("key")
    return {**row, **key} if isinstance(key, dict) else row
