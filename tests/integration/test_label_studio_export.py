"""What an export of a real Label Studio holds: exactly what the vendor's own client returns, to the byte."""

import asyncio
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.exporting import Exporter, counts, documents, report, same_documents
from tests.support.labelstudio import RealLabelStudio
from tests.support.relay import relaying
from tests.support.sdk import annotation_documents, finished, sdk_tasks, task_documents
from tests.support.studio import CONFIG, box, seed_items

pytestmark = pytest.mark.timeout(600)

#: More than the largest page that is ever asked for.
COUNT = 1000
DONE: Mapping[str, Any] = {"result": [box("done")], "ground_truth": False}
SKIPPED: Mapping[str, Any] = {"result": [], "was_cancelled": True, "ground_truth": False}

#: Numbers and texts that a careless copy changes. The server itself writes 1.10 as 1.1, so that one is a text.
ODD = {
    "image": "straße/été/道路/🚦 .jpg",
    "big": 12345678901234567890,
    "negative": -98765432109876543210,
    "exponent": 1e-07,
    "zero": -0.0,
    "tenth": 0.1,
    "as written": "1.10",
    "escapes": 'a "quoted" \\ path / \t tab \u2028 end',
    "order": {"z": 1, "a": 2, "m": [1, 2.5, None, True]},
}


@dataclass(frozen=True)
class Seeded:
    """A large project that no test changes."""

    server: RealLabelStudio
    project: int
    #: As the vendor's client got them.
    tasks: Sequence[Any]
    #: Id of the task with odd values.
    odd: int

    def exporter(self, folder: Path, url: str | None = None) -> Exporter:
        """Return what exports it."""
        return Exporter(folder, url or self.server.url, self.server.token)


@pytest.fixture(scope="module")
def seeded(label_studio: RealLabelStudio) -> Seeded:
    """Seed tasks in every state once, and read them back with the vendor's client, which takes its time."""

    async def seed() -> tuple[int, list[int]]:
        items: list[Any] = [*seed_items(COUNT)]
        items += [{"data": {"image": "both.png"}, "annotations": [DONE, SKIPPED]} for _ in range(30)]
        items += [{"data": {"image": "both.png"}, "annotations": [SKIPPED, DONE, DONE]} for _ in range(30)]
        items.append({"data": ODD, "meta": ODD, "annotations": [{**DONE, "result": [{**box("odd"), "meta": ODD}]}]})
        async with label_studio.client() as studio:
            project = await studio.create_project("Every state")
            return project, await studio.import_tasks(project, items)

    project, ids = asyncio.run(seed())
    tasks = sdk_tasks(label_studio, project)
    assert [task["id"] for task in tasks] == ids
    return Seeded(label_studio, project, tasks, ids[-1])


@pytest.mark.parametrize("to", ["labels.zip", "labels/"])
async def test_an_export_is_what_the_sdk_returns(seeded: Seeded, tmp_path: Path, to: str) -> None:
    """Every finished task arrives with its finished annotations, and a second pass needs no more than 3 requests."""
    async with relaying(seeded.server.url) as relay:
        exporter = seeded.exporter(tmp_path, relay.url)
        first = (await exporter.aside(seeded.project, to)).ok()
        expected = task_documents(seeded.tasks)
        same_documents(documents(exporter.place(to)), expected)
        assert len(expected) == COUNT * 16 // 20 + 61
        assert counts(first, "listed", "stored", "owed", "requests") == {
            "listed": len(expected), "stored": len(expected), "owed": 0, "requests": len(relay.requests),
        }  # fmt: skip
        assert report(first)["complete"]
        assert report(first)["counts"]["bytes"] == sum(map(len, expected.values()))
        rows = exporter.check(to)
        assert {row["path"] for row in rows if row["kind"] == "task"} == set(expected)
        relay.requests.clear()
        second = (await exporter.aside(seeded.project, to)).ok()
        assert counts(second, "stored", "deleted", "withdrawn") == {"stored": 0, "deleted": 0, "withdrawn": 0}
        assert len(relay.requests) <= 3
        assert report(second)["counts"]["requests"] == len(relay.requests)
        assert {request.split("?")[0] for request in relay.requests} <= {
            f"GET /api/projects/{seeded.project}/", "GET /api/tasks/",
        }  # fmt: skip


async def test_single_annotations_are_what_the_sdk_returns(seeded: Seeded, tmp_path: Path) -> None:
    """With `granularity: annotation` every annotation that was not skipped is a document of its own."""
    # So short that the second pass does not look at all tasks again, which are new here and nowhere else.
    options = ("--set", "granularity=annotation", "--set", "overlap=1s")
    async with relaying(seeded.server.url) as relay:
        exporter = seeded.exporter(tmp_path, relay.url)
        first = (await exporter.aside(seeded.project, "single.zip", *options)).ok()
        expected = annotation_documents(seeded.tasks)
        same_documents(documents(exporter.place("single.zip")), expected)
        assert len(expected) == COUNT * 17 // 20 + 30 + 60 + 1
        assert counts(first, "stored", "owed") == {"stored": len(expected), "owed": 0}
        relay.requests.clear()
        second = (await exporter.aside(seeded.project, "single.zip", *options)).ok()
        assert counts(second, "stored", "deleted", "withdrawn") == {"stored": 0, "deleted": 0, "withdrawn": 0}
        assert len(relay.requests) <= 3


def test_numbers_and_texts_survive_to_the_letter(seeded: Seeded, tmp_path: Path) -> None:
    """Twenty-digit integers, exponents, minus zero, the order of keys and every character stay as they are."""
    exporter = seeded.exporter(tmp_path)
    exporter.export(seeded.project, "odd/", "--item", str(seeded.odd)).ok()
    (data,) = documents(exporter.place("odd/")).values()
    written = json.dumps(ODD, ensure_ascii=False, separators=(",", ":")).replace("\u2028", "\\u2028").encode()
    assert b'"data":' + written in data
    assert b'"meta":' + written in data
    assert b'"big":12345678901234567890,"negative":-98765432109876543210,"exponent":1e-07,"zero":-0.0' in data
    assert data.count(written) == 3


def test_the_project_explains_itself(seeded: Seeded, tmp_path: Path) -> None:
    """Beside the documents lies the project with its label configuration; no counter of it makes it change."""
    exporter = seeded.exporter(tmp_path)
    exporter.export(seeded.project, "one.zip", "--item", str(seeded.odd)).ok()
    with zipfile.ZipFile(exporter.place("one.zip")) as archive:
        project = json.loads(archive.read("_context/project.json"))
    assert (project["id"], project["title"], project["label_config"]) == (seeded.project, "Every state", CONFIG)
    assert "task_number" not in project


def test_projects_are_found_by_title_and_listed(seeded: Seeded, tmp_path: Path) -> None:
    """`projects` shows ids, titles and counts, and `export` takes a title for an id."""
    exporter = seeded.exporter(tmp_path)
    rows = {row["id"]: row for row in exporter.run("projects", "label_studio", "-o", "json").ok().json()}
    mine = rows[str(seeded.project)]
    assert (mine["title"], mine["tasks"]) == ("Every state", str(len(seeded.tasks)))
    kept = [each for task in seeded.tasks for each in task["annotations"] if not each["was_cancelled"]]
    assert mine["annotations"] == str(len(kept))
    exporter.run("export", "label_studio", "--project", "Every state", "--to", "by-title/", "--max-items", "5")
    few = documents(exporter.place("by-title/"))
    assert few.items() <= task_documents(finished(seeded.tasks)).items()
    assert len(few) == 5
