"""Whatever happens between and within passes over a Datature dataset, the next calm one makes the copy right."""

import random

import pytest

from syncer.model.refs import MEDIA
from tests.emulators.datature import DataturePlatform
from tests.emulators.datature_data import Dataset
from tests.support.datature_source import mirrored
from tests.support.mirror import Mirror

STATUSES = ("Completed", "Completed", "Review", "Gold")


def edited(dataset: Dataset, dice: random.Random) -> None:
    """Do one thing that people do."""
    assets = list(dataset.assets.values())
    annotations = [each for asset in assets for each in asset.annotations]
    match dice.randrange(7):
        case 0:
            dataset.generate(dice.randint(1, 3), dice.randint(0, 3), dice.choice(STATUSES))
        case 1 if assets:
            dataset.add_annotation(dice.choice(assets).id)
            dataset.touch(assets[0])
        case 2 if annotations:
            dataset.change(dice.choice(annotations))
        case 3 if annotations:
            dataset.remove_annotation(dice.choice(annotations))
        case 4 if assets:
            dataset.set_status(dice.choice(assets).id, dice.choice(STATUSES))
        case 5 if len(assets) > 3:
            dataset.remove_asset(dice.choice(assets).id)
        case _ if assets:
            dataset.touch(dice.choice(assets), silent=True)


def copied(mirror: Mirror) -> dict[str, bytes]:
    """Return the annotations that a mirror holds."""
    return {key.item: item.data for key, item in mirror.items.items() if key.kind != MEDIA}


def truth(dataset: Dataset) -> dict[str, bytes]:
    """Return the annotations that it should hold."""
    finished = dataset.finished()
    return {f"{asset.id}.{name}": each.served() for asset in finished for name, each in asset.annotations.items()}


@pytest.mark.parametrize("seed", range(6))
async def test_any_history_ends_in_the_truth(seed: int) -> None:
    """Edits, interrupted passes, faults, imports and relists in any order: then one pass, and all is as it is there."""
    dice = random.Random(seed)
    async with DataturePlatform(most=dice.choice((3, 7, 1000)), objects=bool(seed % 2)) as platform:
        dataset = platform.dataset()
        dataset.generate(12, 2)
        async with mirrored(platform, media=seed % 3 == 0, read_ahead=dice.choice((1, 8))) as mirror:
            for _ in range(12):
                for _ in range(dice.randint(0, 4)):
                    edited(dataset, dice)
                session = dataset.import_session() if dice.random() < 0.2 else None
                stop = dice.choice((None, None, 1, 2, 3))
                await mirror.sync(stop_after=stop, relist=dice.random() < 0.1)
                if session is not None:
                    session["status"]["conditions"][0]["status"] = "Reached"
                if stop is not None:
                    # The interrupted pass goes on, on a platform that has moved meanwhile.
                    edited(dataset, dice)
            await mirror.sync()
            assert await mirror.sync() == "full"
            assert copied(mirror) == truth(dataset)
            files = {key.item: item.data for key, item in mirror.items.items() if key.kind == MEDIA}
            if seed % 3 == 0:
                assert files == {a.id: a.content for a in dataset.assets.values() if a.status == "Completed"}
            assert mirror.owed == {}
