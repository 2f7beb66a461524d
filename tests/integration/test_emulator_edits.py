"""Edits move times, flags and ids on the emulated Label Studio as they do on the real one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tests.support.labelstudio import RealLabelStudio
from tests.support.shapes import outline
from tests.support.side_by_side import Side, both
from tests.support.studio import Json, box, seed_items

pytestmark = pytest.mark.timeout(600)

#: Seeded tasks, by what they are.
PLAIN, UNANNOTATED, SKIPPED, DRAFT, TWO, LAST = 0, 3, 5, 7, 9, 19

Edit = Callable[[Side], Awaitable[object]]


async def row(side: Side, place: int) -> Json:
    """Return the present row of a seeded task."""
    chosen = {"selectedItems": {"all": False, "included": [side.tasks[place]]}}
    rows = (await side.studio.tasks(side.project, fields="all", query=chosen))["tasks"]
    return rows[0] if rows else None


async def annotation(side: Side, place: int) -> int:
    """Return the id of a seeded task's newest annotation."""
    return int((await row(side, place))["annotations"][-1]["id"])


def edits() -> Sequence[tuple[str, int, Edit]]:
    """Return each edit with the seeded task that it is about; they build on one another."""
    return (
        ("annotate", UNANNOTATED, lambda s: s.studio.annotate(s.tasks[UNANNOTATED], [box("n")], lead_time=2.5)),
        ("correct", UNANNOTATED, lambda s: _patched(s, UNANNOTATED, result=[box("m", 3.0)])),
        ("nothing", UNANNOTATED, lambda s: _patched(s, UNANNOTATED)),
        ("ground truth", UNANNOTATED, lambda s: _patched(s, UNANNOTATED, ground_truth=True)),
        ("skip", UNANNOTATED, lambda s: _patched(s, UNANNOTATED, was_cancelled=True)),
        ("take up again", UNANNOTATED, lambda s: _patched(s, UNANNOTATED, was_cancelled=False)),
        ("a second, skipped", UNANNOTATED, lambda s: s.studio.annotate(s.tasks[UNANNOTATED], was_cancelled=True)),
        ("delete the skipped", UNANNOTATED, lambda s: _deleted(s, UNANNOTATED)),
        ("delete the last", UNANNOTATED, lambda s: _deleted(s, UNANNOTATED)),
        ("draft", PLAIN, lambda s: s.studio.add_draft(s.tasks[PLAIN])),
        ("take back", TWO, lambda s: _taken_back(s, TWO)),
        ("annotate the skipped", SKIPPED, lambda s: s.studio.annotate(s.tasks[SKIPPED], [box("x")])),
        ("new data", DRAFT, lambda s: s.studio.patch_task(s.tasks[DRAFT], data={"image": "new.png"}, meta={"q": 1})),
        ("bulk", TWO, lambda s: s.studio.delete_annotations(s.project, [s.tasks[TWO], s.tasks[PLAIN]])),
        (
            "higher overlap",
            1,
            lambda s: s.studio.do("PATCH", f"/api/projects/{s.project}/", {"maximum_annotations": 2}),
        ),
        ("delete the task", LAST, lambda s: s.studio.delete_task(s.tasks[LAST])),
    )


async def test_edits_move_the_same_fields(label_studio: RealLabelStudio) -> None:
    """After each edit the task has the same shape and counts, and its time has moved on both sides or on neither."""
    async with both(label_studio, 20) as sides:
        for name, place, edit in edits():
            told = []
            for side in sides:
                before = await row(side, place)
                await edit(side)
                told.append(_effect(before, await row(side, place)))
            assert told[0] == told[1], name


async def test_answers_to_edits_have_the_same_shape(label_studio: RealLabelStudio) -> None:
    """What creating, changing and refusing answer has the same status, keys and types."""
    requests: Sequence[tuple[str, str, Json]] = (
        ("POST", "/api/tasks/{task}/annotations/", {"result": [], "lead_time": 1.5}),
        ("PATCH", "/api/annotations/{annotation}/", {"ground_truth": True}),
        ("PATCH", "/api/annotations/{annotation}/", {"result": 5}),
        ("PATCH", "/api/annotations/{annotation}/", {"lead_time": "long"}),
        ("PATCH", "/api/annotations/99999999/", {}),
        ("PATCH", "/api/tasks/{task}/", {"meta": {"q": 1}}),
        ("POST", "/api/tasks/", {"data": {"image": "a.png"}, "project": "{project}"}),
        ("POST", "/api/tasks/{task}/drafts", {"result": []}),
        ("POST", "/api/annotations/{annotation}/convert-to-draft", {"result": []}),
        ("POST", "/api/projects/{project}/import", [{"image": "a.png"}]),
        ("POST", "/api/projects/{project}/import", {"image": "a.png"}),
        ("POST", "/api/projects/{project}/import", [{"data": {"other": 1}}]),
        ("POST", "/api/projects/{project}/import", [{"data": {"image": "a"}, "annotations": [{"no": 1}]}]),
        ("POST", "/api/projects/{project}/import", []),
        ("POST", "/api/dm/views/", {"project": "{project}", "data": {"title": "v"}}),
        ("PUT", "/api/users", {}),
        ("POST", "/api/projects/", {"title": "no"}),
        ("DELETE", "/api/tasks/{task}/", None),
        ("DELETE", "/api/tasks/{task}/", None),
    )
    async with both(label_studio, 20) as sides:
        names = [
            {"task": side.tasks[0], "project": side.project, "annotation": await annotation(side, 0)} for side in sides
        ]
        for method, path, body in requests:
            told = []
            for side, named in zip(sides, names, strict=True):
                filled = _filled(body, named)
                told.append(outline(await side.studio.send(method, path.format(**named), body=filled)))
            assert told[0] == told[1], (method, path, body)


async def test_ids_of_deleted_rows_return(label_studio: RealLabelStudio) -> None:
    """After deleting the newest task, the next import gives its id and that of its annotation again."""
    for_both = []
    async with both(label_studio, 20) as sides:
        for side in sides:
            task, old = side.tasks[LAST], await annotation(side, LAST)
            await side.studio.delete_task(task)
            again = await side.studio.import_tasks(side.project, list(seed_items(1)))
            new = (await side.studio.tasks(side.project, fields="all", page_size=20))["tasks"][-1]
            for_both.append((again == [task], new["annotations"][0]["id"] == old, new["inner_id"]))
    assert for_both == [(True, True, 20)] * 2


async def test_bulk_deletion_gives_one_time_to_all(label_studio: RealLabelStudio) -> None:
    """Tasks whose annotations were deleted in one action share one `updated_at`, so that it orders nothing."""
    async with both(label_studio, 20) as sides:
        for side in sides:
            await side.studio.delete_annotations(side.project, [side.tasks[0], side.tasks[1], side.tasks[2]])
            assert len({(await row(side, place))["updated_at"] for place in range(3)}) == 1


async def test_pages_drift_under_deletion(label_studio: RealLabelStudio) -> None:
    """Deleting a task of page 1 makes page 2 start one later, so that one task is never returned."""
    async with both(label_studio, 20) as sides:
        for side in sides:
            first = await side.studio.tasks(side.project, page=1, page_size=5, include="id")
            await side.studio.delete_task(first["tasks"][0]["id"])
            second = await side.studio.tasks(side.project, page=2, page_size=5, include="id")
            assert second["tasks"][0]["id"] == side.tasks[6]


async def test_one_unservable_row_breaks_its_page(label_studio: RealLabelStudio) -> None:
    """Half of a surrogate pair in one task is imported, and then every page that carries its data is 500 with HTML."""
    async with both(label_studio, 2) as sides:
        for side in sides:
            made = await side.studio.import_tasks(side.project, [{"data": {"image": "\ud800.png"}}])
            told = [
                outline(await side.get("/api/tasks", project=side.project, fields="all")),
                outline(await side.get(f"/api/tasks/{made[0]}/")),
            ]
            assert told == [(500, "text/html", 1918)] * 2
            assert (await side.get("/api/tasks", project=side.project, include="id,updated_at")).status == 200


async def _patched(side: Side, place: int, **changes: Any) -> None:
    await side.studio.patch_annotation(await annotation(side, place), **changes)


async def _deleted(side: Side, place: int) -> None:
    await side.studio.delete_annotation(await annotation(side, place))


async def _taken_back(side: Side, place: int) -> None:
    await side.studio.to_draft(await annotation(side, place))


def _effect(before: Json, after: Json) -> Any:
    if after is None:
        return "gone"
    plain = ("is_labeled", "total_annotations", "cancelled_annotations", "draft_exists", "avg_lead_time", "overlap")
    return {
        **{name: after[name] for name in plain},
        "updated_by": len(after["updated_by"]),
        "completed": after["completed_at"] is not None,
        "completed moved": after["completed_at"] != before["completed_at"],
        "moved": after["updated_at"] > before["updated_at"],
        "annotations": [
            (a["was_cancelled"], a["ground_truth"], a["updated_by"], a["lead_time"]) for a in after["annotations"]
        ],
        "newest is later than its task": bool(after["annotations"])
        and after["annotations"][-1]["updated_at"] > after["updated_at"],
    }


def _filled(body: Json, named: dict[str, int]) -> Json:
    if isinstance(body, dict) and body.get("project") == "{project}":
        return {**body, "project": named["project"]}
    return body
