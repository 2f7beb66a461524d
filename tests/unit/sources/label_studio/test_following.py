"""Any history: whatever people do to a project, and wherever passes are cut off, the copy follows."""

import random
from typing import Any

import pytest

from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.errors import SyncerError
from tests.support.mirror import Mirror
from tests.support.studio_source import mirrored

OPTIONS: list[dict[str, Any]] = [{}, {"granularity": "annotation"}, {"overlap": 0, "read_ahead": 1}]
TASK = {"data": {"image": "new.png"}, "annotations": [{"result": []}]}


def edit(platform: LabelStudioPlatform, dice: random.Random) -> None:
    """Do one thing that annotators, managers and scripts do."""
    store = platform.store
    ids = store.tasks.ids(1)
    if len(ids) < 20:
        store.import_tasks(platform.project, [TASK] * 10)
        return
    task = store.tasks.get(dice.choice(ids))
    assert task is not None
    annotations = [annotation.id for annotation in task.annotations]
    match dice.randrange(9):
        case 0 | 1:
            store.annotate(task.id, [{"id": str(dice.random())}], was_cancelled=dice.random() < 0.2)
        case 2:
            store.import_tasks(platform.project, [TASK] * dice.randint(1, 4))
        case 3:
            store.delete_tasks(dice.sample(ids, 2))
        case 4:
            # The newest goes, and its id comes back.
            store.delete_tasks(ids[-2:])
            store.import_tasks(platform.project, [TASK])
        case 5:
            store.patch_task(task.id, {"data": {"image": f"{dice.random()}.png"}})
        case 6:
            store.delete_annotations(dice.sample(ids, 3))
        case 7 if annotations:
            store.patch_annotation(dice.choice(annotations), {"was_cancelled": dice.random() < 0.5})
        case 8 if annotations:
            store.delete_annotation(dice.choice(annotations))


def truth(platform: LabelStudioPlatform, granularity: str) -> set[tuple[str, str]]:
    """Return id and time of everything that is finished."""
    tasks = list(platform.store.tasks.all_of(1))
    if granularity == "task":
        return {(str(task.id), task.updated_at) for task in tasks if task.total_annotations}
    return {(str(a.id), a.updated_at) for task in tasks for a in task.annotations if not a.was_cancelled}


def held(mirror: Mirror) -> set[tuple[str, str]]:
    """Return id and time of everything that the copy holds, read from its versions."""
    found = set()
    for key, item in mirror.items.items():
        stamp = item.version.partition("~")[0].removesuffix("Z")
        day, _, rest = stamp.partition("T")
        seconds, _, fraction = rest.partition(".")
        clock = f"{seconds[:2]}:{seconds[2:4]}:{seconds[4:]}.{fraction:0<6}Z"
        found.add((key.item, f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock}"))
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "options",
    [{}, {"granularity": "annotation"}, {"overlap": 0, "read_ahead": 1}],
    ids=["tasks", "annotations", "bare"],
)
async def test_the_copy_follows_any_history(options: dict[str, Any], seed: int) -> None:
    """Edits between and inside passes, cut passes, failing requests: every pass that ends undisturbed is exact."""
    dice = random.Random(f"{seed} {options}")
    granularity = str(options.get("granularity", "task"))
    async with LabelStudioPlatform(80) as platform, mirrored(platform, page_size=9, **options) as mirror:
        for _ in range(14):
            for _ in range(dice.randint(0, 4)):
                edit(platform, dice)
            match dice.randrange(4):
                case 0:
                    await mirror.sync(stop_after=dice.randint(1, 4))
                case 1:
                    ids = platform.store.tasks.ids(1)
                    platform.faults.add("vanish", route="tasks", after=dice.randint(0, 3), delete=dice.sample(ids, 2))
                    await mirror.sync()
                    platform.faults.clear()
                case 2:
                    platform.faults.add("status", after=dice.randint(0, 6), times=9, status=502)
                    try:
                        await mirror.sync()
                    except SyncerError:
                        platform.faults.clear()
                    platform.faults.clear()
                case 3:
                    await mirror.sync(relist=dice.random() < 0.2)
        # A pass that was cut off ends first; the next one has nothing in its way.
        while await mirror.sync() is None:
            pass
        await mirror.sync()
        await mirror.sync()
        assert held(mirror) == truth(platform, granularity)
        assert mirror.owed == {}
