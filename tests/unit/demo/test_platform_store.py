"""Times, flags and ids of the emulated platform move as they were measured on the real one."""

import tracemalloc
from datetime import UTC, datetime, timedelta

from syncer.demo.platform.edges import seed_edges
from syncer.demo.platform.rows import Task, moment_of, stamp_of
from syncer.demo.platform.seeds import Generated, Mix
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.demo.platform.store import Store


def found(store: Store, task: int) -> Task:
    """Return a task that must be there."""
    task_found = store.tasks.get(task)
    assert task_found is not None
    return task_found


def test_generated_tasks_are_the_same_every_time() -> None:
    """A task made from its number is equal whenever it is made, and its outline has the same counts and times."""
    rows = Generated(project=1, count=500)
    for number in rows.ids:
        task, outline = rows.task(number), rows.task(number, documents=False)
        assert task == rows.task(number)
        assert (task.updated_at, task.total_annotations, task.is_labeled, task.draft_exists) == (
            outline.updated_at, outline.total_annotations, outline.is_labeled, outline.draft_exists,
        )  # fmt: skip
        assert all(rows.task_of(annotation.id) == number for annotation in task.annotations)


def test_the_mix_has_every_state() -> None:
    """Generated projects hold tasks of every state; `finished` ones exactly one annotation each."""
    tasks = [Generated(project=1, count=200).task(number) for number in range(1, 201)]
    assert {len(task.annotations) for task in tasks} == {0, 1, 2}
    assert any(task.draft_exists for task in tasks)
    assert any(task.cancelled_annotations for task in tasks)
    assert any(annotation.ground_truth for task in tasks for annotation in task.annotations)
    plain = Generated(project=1, count=200, mix=Mix.finished())
    assert {plain.task(number).total_annotations for number in plain.ids} == {1}


def test_a_large_project_costs_no_memory() -> None:
    """A project of 200,000 tasks with 200 MB of documents takes less than 4 MB, also after a walk over some of it."""
    tracemalloc.start()
    try:
        platform = LabelStudioPlatform(200_000)
        size = sum(len(found(platform.store, number).data) for number in range(1, 200_000, 1000))
        assert size > 10_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_what_moves_the_time_of_a_task() -> None:
    """Edits of annotations and data move `updated_at`; drafts and a new overlap do not."""
    platform = LabelStudioPlatform(10, mix=Mix.finished())
    store, project = platform.store, platform.project
    annotation = found(store, 3).annotations[0].id
    moving = (
        lambda: store.annotate(3),
        lambda: store.patch_annotation(annotation, {}),
        lambda: store.cancel(annotation),
        lambda: store.patch_task(3, {"meta": {"q": 1}}),
        lambda: store.delete_annotation(annotation),
        lambda: store.delete_annotations([3]),
    )
    still = (lambda: store.add_draft(3, []), lambda: store.patch_project(project, {"maximum_annotations": 3}))
    for edit, moves in [*((edit, True) for edit in moving), *((edit, False) for edit in still)]:
        before = found(store, 3).updated_at
        edit()
        assert (found(store, 3).updated_at > before) is moves


def test_imports_can_be_dated_back() -> None:
    """Rows of a long transaction appear with a time that has passed; their annotations are dated a little later."""
    store = Store()
    project = store.create_project("Late")
    past = datetime.now(UTC) - timedelta(minutes=5)
    ids = store.import_tasks(project, [{"data": {}, "annotations": [{"result": []}]}] * 3, at=past)
    stamps = [found(store, task).updated_at for task in ids]
    assert stamps == [stamp_of(past + timedelta(microseconds=place)) for place in range(3)]
    assert moment_of(found(store, ids[0]).annotations[0].updated_at) == past + timedelta(milliseconds=900)


def test_no_two_edits_have_one_time() -> None:
    """Stamps are distinct even where the clock stands still."""
    frozen = datetime(2026, 2, 3, tzinfo=UTC)
    store = Store(lambda: frozen)
    assert len({store.stamp() for _ in range(100)}) == 100


def test_ids_return_after_an_import_and_not_after_a_form() -> None:
    """A bulk import gives the ids of deleted newest rows again; a single creation never does."""
    store = Store()
    project = store.create_project("Imported")
    item = {"data": {"image": "a.png"}, "annotations": [{"result": []}]}
    store.import_tasks(project, [item] * 10)
    gone = found(store, 10)
    store.delete_tasks([10])
    assert store.import_tasks(project, [item]) == [10]
    assert found(store, 10).annotations[0].id == gone.annotations[0].id
    assert found(store, 10).created_at != gone.created_at
    assert found(store, 10).annotations[0].unique_id != gone.annotations[0].unique_id
    store.delete_tasks([10])
    assert store.create_task(project, {"image": "b.png"}).id == 11


def test_edges_keep_their_bytes() -> None:
    """Odd documents are stored as they were given, down to spaces and trailing zeros."""
    store = Store()
    ids = seed_edges(store, store.create_project("Edges"))
    written = found(store, ids["float as written"]).annotations[0].result
    assert b'{"x":1.10,"y":1e2,"z":0.1000,"w":-0.0,"v":1E-7}' in written
    assert b'{ "text" :\t[ "a" ,\n "b" ] }' in found(store, ids["spaces"]).annotations[0].result
    assert len(found(store, ids["large"]).annotations[0].result) > 256 * 1024
    assert found(store, ids["skipped only"]).total_annotations == 0
    assert found(store, ids["skipped only"]).is_labeled


def test_projects_share_no_ids() -> None:
    """Several generated projects have tasks and annotations of their own; deleting one leaves the others."""
    store = Store()
    first, second = store.create_project("first"), store.create_project("second")
    ids = [store.generate(project, 20, mix=Mix.finished()) for project in (first, second)]
    assert not set(ids[0]) & set(ids[1])
    annotations = [task.annotations[0].id for project in (1, 2) for task in store.tasks.all_of(project)]
    assert len(set(annotations)) == 40
    assert all(store.tasks.find(annotation) for annotation in annotations)
    store.delete_project(first.id)
    assert store.tasks.ids(1) == []
    assert store.tasks.ids(2) == list(ids[1])
