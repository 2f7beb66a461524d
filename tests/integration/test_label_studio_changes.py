"""What happens at a destination when people go on working in a real Label Studio."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.exporting import Exporter, counts, documents, report, same_documents
from tests.support.labelstudio import RealLabelStudio
from tests.support.sdk import annotation_documents, task_documents
from tests.support.studio import Studio, box, seed_items

pytestmark = pytest.mark.timeout(400)

COUNT = 140
SINGLE = ("--set", "granularity=annotation")
DROP = ("--set", "sink.on_withdraw=tombstone")
#: Destination, and the options that are always given with it.
PLACES = {"folder/": (), "archive.zip": DROP, "single/": SINGLE, "single.zip": (*SINGLE, *DROP)}


def files(place: Path) -> dict[str, tuple[int, ...]]:
    """Return what shows whether a document was written again: times and i-nodes of files, offsets aside of entries."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place) as archive:
            return {entry.filename: (entry.CRC, entry.file_size, entry.compress_size) for entry in archive.infolist()}
    found = [(path, path.stat()) for path in place.rglob("*.json") if "_manifest" not in path.parts]
    return {path.relative_to(place).as_posix(): (stat.st_mtime_ns, stat.st_ino) for path, stat in found}


def touched(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> set[str]:
    """Return the names of what was written or taken out."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def named(numbers: Sequence[int]) -> set[str]:
    """Return names of documents."""
    return {f"{number}.json" for number in numbers}


def annotations_of(task: Any) -> list[int]:
    """Return the ids of a task's finished annotations."""
    return [each["id"] for each in task["annotations"] if not each["was_cancelled"]]


async def test_exactly_what_changed_is_touched(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """Edits, deleted annotations, a skip, deleted tasks and new ones: these are stored, withdrawn or dropped."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    async with label_studio.client() as studio:
        project, ids = await studio.seed(COUNT)
        tasks = {task["id"]: task for task in await studio.all_tasks(project)}
        for to, options in PLACES.items():
            exporter.export(project, to, *options).ok()
            expected = annotation_documents if "single" in to else task_documents
            same_documents(documents(exporter.place(to)), expected(tasks.values()))
        before = {to: files(exporter.place(to)) for to in PLACES}

        ones = [number for place, number in enumerate(ids) if place % 20 in {0, 1, 2, 4, 6}]
        twos = [number for place, number in enumerate(ids) if place % 20 == 9]
        edited, emptied, deleted, (skipped, patched) = ones[4:14], ones[17:20], ones[24:27], ones[30:32]
        reduced = twos[5:7]
        for task in edited:
            await studio.patch_annotation(annotations_of(tasks[task])[0], result=[box("edited", 33.125)])
        for task in (*emptied, *reduced):
            await studio.delete_annotation(annotations_of(tasks[task])[0])
        for task in deleted:
            await studio.delete_task(task)
        await studio.cancel(annotations_of(tasks[skipped])[0])
        await studio.patch_task(patched, meta={"n": -1})
        new = await studio.import_tasks(project, list(seed_items(20, COUNT)))

        now = {task["id"]: task for task in await studio.all_tasks(project)}
        by_task, by_annotation = task_documents(now.values()), annotation_documents(now.values())
        fresh = [task for task in new if f"{task}.json" in by_task]
        assert len(fresh) == 16
        away = {*emptied, skipped}

        # Documents of tasks: kept while withdrawn in the folder, dropped from the archive.
        stored = named([*edited, *reduced, patched, *fresh])
        for to in ("folder/", "archive.zip"):
            second = exporter.export(project, to, *PLACES[to]).ok()
            assert counts(second, "stored", "updated", "withdrawn", "deleted", "owed", "held") == {
                "stored": 29, "updated": 13, "withdrawn": 4, "deleted": 3, "owed": 0, "held": 0,
            }  # fmt: skip
        current = {row["path"]: row for row in exporter.check("folder/") if row["kind"] == "task"}
        assert set(current) == set(by_task) | named([*away])
        reasons = {path: (row["op"], row["reason"]) for path, row in current.items() if row["op"] != "put"}
        assert reasons == {
            **{f"{task}.json": ("withdraw", "no finished annotation") for task in emptied},
            f"{skipped}.json": ("withdraw", "skipped"),
        }
        assert touched(before["folder/"], files(exporter.place("folder/"))) == stored
        held = documents(exporter.place("folder/"))
        # The bytes of what was withdrawn or deleted stay; the manifest says what they are.
        assert set(held) == set(by_task) | named([*away, *deleted])
        same_documents({name: held[name] for name in by_task}, by_task)

        assert touched(before["archive.zip"], files(exporter.place("archive.zip"))) == stored | named(
            [*away, *deleted]
        )  # fmt: skip
        same_documents(documents(exporter.place("archive.zip")), by_task)
        rows = [row for row in exporter.check("archive.zip") if row["kind"] == "task"]
        assert {(row["op"], row["path"]) for row in rows} == {("put", name) for name in by_task}

        # Single annotations: a deleted one is deleted, a skipped one withdrawn.
        anew = named([annotations_of(tasks[task])[0] for task in edited]) | (
            set(by_annotation) - set(annotation_documents(tasks.values()))
        )
        gone = named([annotations_of(tasks[task])[0] for task in (*emptied, *reduced, *deleted)])
        left = named(annotations_of(tasks[skipped]))
        for to in ("single/", "single.zip"):
            second = exporter.export(project, to, *PLACES[to]).ok()
            assert counts(second, "stored", "updated", "withdrawn", "deleted", "owed", "held") == {
                "stored": 27, "updated": 10, "withdrawn": 1, "deleted": 8, "owed": 0, "held": 0,
            }  # fmt: skip
        assert touched(before["single/"], files(exporter.place("single/"))) == anew
        assert {row["path"] for row in exporter.check("single/") if row["kind"] != "context"} == (
            set(by_annotation) | left
        )
        assert touched(before["single.zip"], files(exporter.place("single.zip"))) == anew | gone | left
        same_documents(documents(exporter.place("single.zip")), by_annotation)
        exporter.check("single.zip")

        await _come_back(studio, exporter, project, emptied[0], annotations_of(tasks[skipped])[0])


async def _come_back(studio: Studio, exporter: Exporter, project: int, emptied: int, skipped: int) -> None:
    """Finish two withdrawn tasks again: they are current again, everywhere."""
    await studio.annotate(emptied, [box("again")])
    await studio.patch_annotation(skipped, was_cancelled=False)
    now = await studio.all_tasks(project)
    for to, options in PLACES.items():
        third = exporter.export(project, to, *options).ok()
        assert counts(third, "stored", "withdrawn", "deleted") == {"stored": 2, "withdrawn": 0, "deleted": 0}, to
        expected = annotation_documents(now) if "single" in to else task_documents(now)
        rows = [row for row in exporter.check(to) if row["kind"] != "context"]
        if to == "folder/":
            # Two others are still withdrawn and kept.
            assert sorted(row["op"] for row in rows) == ["put"] * len(expected) + ["withdraw"] * 2
        else:
            assert {(row["op"], row["path"]) for row in rows} == {("put", name) for name in expected}
        found = documents(exporter.place(to))
        same_documents({name: found[name] for name in expected}, expected)


@pytest.mark.parametrize(("to", "options"), [("t/", ()), ("t.zip", ()), ("a/", SINGLE), ("a.zip", SINGLE)], ids=str)
async def test_a_reused_id_is_another_document(
    label_studio: RealLabelStudio, tmp_path: Path, to: str, options: tuple[str, ...]
) -> None:
    """Where the server gives the id of a deleted task to a new one (SQLite), the new one replaces it as changed."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    done = [{"result": [box("one")], "ground_truth": False}]
    async with label_studio.client() as studio:
        project = await studio.create_project("Reused")
        first = await studio.import_tasks(
            project, [{"data": {"image": f"{n}.png"}, "annotations": done} for n in "abc"]
        )  # fmt: skip
        exporter.export(project, to, *options).ok()
        await studio.delete_task(first[-1])
        again = await studio.import_tasks(project, [{"data": {"image": "d.png"}, "annotations": done}])
        assert again == first[-1:], "this server does not reuse ids, so there is nothing to show"
        second = exporter.export(project, to, *options).ok()
        tasks = await studio.all_tasks(project)
    assert counts(second, "stored", "updated", "deleted") == {"stored": 1, "updated": 1, "deleted": 0}
    same_documents(documents(exporter.place(to)), annotation_documents(tasks) if options else task_documents(tasks))
    exporter.check(to)


async def test_a_deleted_project_is_kept_until_it_is_accepted(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """A project that is gone is frozen and named with exit code 3; its documents go only when that is accepted."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    async with label_studio.client() as studio:
        project, _ = await studio.seed(40)
        exporter.export(project, "out.zip").ok()
        kept = documents(exporter.place("out.zip"))
        await studio.delete_project(project)
    ended = exporter.export(project, "out.zip")
    assert ended.code == 3
    assert report(ended)["frozen"] == [str(project)]
    assert f"--accept-gone '{project}'" in ended.err
    assert documents(exporter.place("out.zip")) == kept
    accepted = exporter.export(project, "out.zip", "--accept-gone", str(project), "--max-delete", "1000").ok()
    assert report(accepted)["counts"]["deleted"] == len(kept)
    assert documents(exporter.place("out.zip")) == {}


async def test_many_deletions_are_held_back(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """More deletions than `max_delete` are not applied but named, while everything else is; then they are accepted."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    async with label_studio.client() as studio:
        project, ids = await studio.seed(60)
        exporter.export(project, "out/").ok()
        for task in ids[20:32]:
            await studio.delete_task(task)
        await studio.import_tasks(project, [{"data": {"image": "n.png"}, "annotations": [{"result": []}]}])
        expected = task_documents(await studio.all_tasks(project))
    gone = sum(place % 20 not in {3, 5, 7, 13} for place in range(20, 32))
    held = exporter.export(project, "out/", "--set", "sink.max_delete=5")
    assert held.code == 3
    assert counts(held, "stored", "deleted", "held") == {"stored": 1, "deleted": 0, "held": gone}
    assert f"--max-delete {gone}" in held.err
    assert {row["path"] for row in exporter.check("out/") if row["kind"] == "task"} > set(expected)
    done = exporter.export(project, "out/", "--set", "sink.max_delete=5", "--max-delete", str(gone)).ok()
    assert counts(done, "stored", "deleted", "held") == {"stored": 0, "deleted": gone, "held": 0}
    assert {row["path"] for row in exporter.check("out/") if row["kind"] == "task"} == set(expected)


CONFIGURATION = """
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip", on_withdraw: tombstone}}
jobs:
  job: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [folder, archive]}}
"""


async def test_plan_and_verify_say_what_is_behind(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """Before a pass `plan` and `verify --source` count what is new, changed, gone and withdrawn; after it, nothing."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    async with label_studio.client() as studio:
        project, ids = await studio.seed(100)
        text = CONFIGURATION.format(url=label_studio.url, token=label_studio.token, project=project)
        (tmp_path / "syncer.yaml").write_text(text)
        (nothing,) = exporter.run("plan", "-o", "json").ok().json()
        assert nothing["legs"]["folder"]["new"] == 80
        assert list(tmp_path.iterdir()) == [tmp_path / "syncer.yaml"] or not (tmp_path / "labels").exists()
        exporter.run("sync").ok()
        in_step = exporter.run("verify", "--source").ok()
        assert in_step.err.count("in step with the platform") == 2
        tasks = {task["id"]: task for task in await studio.all_tasks(project)}
        for task in ids[:2]:
            await studio.patch_annotation(annotations_of(tasks[task])[0], result=[box("edited")])
        await studio.delete_annotation(annotations_of(tasks[ids[2]])[0])
        await studio.delete_task(ids[4])
        await studio.import_tasks(project, [{"data": {"image": "n.png"}, "annotations": [{"result": []}]}] * 3)
    for command in (("plan",), ("plan", "--full"), ("sync", "--dry-run")):
        (planned,) = exporter.run(*command, "-o", "json").ok().json()
        for leg in planned["legs"].values():
            behind = {name: leg[name] for name in ("new", "changed", "gone", "withdrawn")}
            assert behind == {"new": 3, "changed": 2, "gone": 1, "withdrawn": 1}, command
    late = exporter.run("verify", "--source")
    assert late.code == 3
    assert late.err.count("3 new, 2 changed, 1 gone, 1 withdrawn") == 2, late.err
    done = exporter.run("sync", "-o", "json").ok()
    assert counts(done, "stored", "updated", "deleted", "withdrawn") == {
        "stored": 5, "updated": 2, "deleted": 1, "withdrawn": 1,
    }  # fmt: skip
    after = exporter.run("verify", "--source", "--deep").ok()
    assert after.err.count("in step with the platform") == 2, after.err
    rows = [
        json.loads(line)
        for line in exporter.run("manifest", "job", "--sink", "archive", "-o", "jsonl").out.splitlines()
    ]
    assert sum(row["kind"] == "task" for row in rows) == 80 + 3 - 2
