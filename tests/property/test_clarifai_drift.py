"""While Clarifai's pages are read, rows come, go and change: nothing that was there all the time is missed."""

import random
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from syncer.sources.clarifai.rows import item_of, parts_of
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_store import AWAITING_REVIEW, PENDING, SUCCESS, App, Key, Store
from tests.support.clarifai_direct import Ticking, direct
from tests.support.mirror import Mirror

#: What happens between two requests, and how often.
ACTS = ("edit", "annotate", "delete", "status", "add input", "delete input")
WEIGHTS = (4, 4, 4, 4, 1, 1)
#: The same without deleted inputs: their number alone asks for a complete listing.
KEPT = (4, 4, 4, 4, 1, 0)


@dataclass
class Drift:
    """Changes a platform after every answer, and keeps account of what was finished all the time."""

    platform: ClarifaiPlatform
    app: App
    dice: random.Random
    #: Most changes between two requests.
    pace: int
    steady: set[Key] = field(default_factory=set)
    weights: tuple[int, ...] = WEIGHTS

    def begin(self) -> None:
        """From now on, remember what is finished, and change things."""
        self.steady = {key for key, found in self.app.annotations.items() if found.code == SUCCESS}
        self.platform.drift = lambda _: self.moved(self.dice.randint(0, self.pace))

    def end(self) -> None:
        """Leave the platform alone."""
        self.platform.drift = lambda _: None

    def moved(self, times: int) -> None:
        """Change so many things."""
        for _ in range(times):
            self._act(self.dice.choices(ACTS, self.weights)[0])
            self.steady &= {key for key, found in self.app.annotations.items() if found.code == SUCCESS}

    def _act(self, act: str) -> None:
        store, app, dice = self.platform.store, self.app, self.dice
        if act == "add input" or not app.inputs:
            # In front of others, behind them, anywhere.
            store.add_input(app, f"in{dice.randrange(10**6):06d}")
        elif act == "delete input":
            store.delete_input(app, dice.choice(list(app.inputs)))
        elif act == "annotate" or not app.annotations:
            store.annotate(app, dice.choice(list(app.inputs)), code=dice.choice([SUCCESS, PENDING]))
        else:
            key = dice.choice(list(app.annotations))
            if act == "edit":
                store.edit(app, key)
            elif act == "delete":
                store.delete(app, key)
            else:
                store.set_status(app, key, dice.choice([SUCCESS, PENDING, AWAITING_REVIEW]))


def filled(seed: int, inputs: int, each: int, pace: int) -> Drift:
    """Return a platform with inputs that have from none to `each` annotations."""
    dice = random.Random(seed)
    platform = ClarifaiPlatform(Store(now=Ticking()))
    app = platform.store.create_app("cars")
    for number in range(inputs):
        name = platform.store.add_input(app, f"in{number * 7919 % 10**6:06d}").id
        for _ in range(dice.randint(0, each)):
            platform.store.annotate(app, name, code=dice.choice([SUCCESS, SUCCESS, SUCCESS, PENDING]))
    return Drift(platform, app, dice, pace)


def finished(app: App) -> dict[str, str]:
    """Return when each finished annotation was changed last, by item."""
    return {item_of(*key): found.modified for key, found in app.annotations.items() if found.code == SUCCESS}


def held(mirror: Mirror) -> dict[str, str]:
    """Return what a mirror holds, in the same way."""
    return {key.item: item.data.decode().partition('"modified_at":"')[2][:27] for key, item in mirror.items.items()}


#: Seed, inputs, most annotations of each, most changes between two requests.
platforms = st.tuples(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 30), st.integers(0, 3))
#: The same, with so much in motion that a listing of changes has several windows.
busy = st.tuples(st.integers(0, 2**32), st.integers(5, 40), st.integers(3, 30), st.integers(0, 3))
pages = st.integers(4, 40)


@given(shape=platforms, page_size=pages, ahead=st.integers(1, 6))
async def test_a_complete_listing_misses_nothing(shape: tuple[int, int, int, int], page_size: int, ahead: int) -> None:
    """Whatever was finished before the pass began, and all the time since, is listed; nothing is listed twice."""
    drift = filled(*shape)
    async with direct(drift.platform, page_size=page_size, read_ahead=ahead) as mirror:
        drift.begin()
        await mirror.sync()
        drift.end()
        listed = [ref.key.item for page in mirror.pages for ref in page.refs]
        assert len(listed) == len(set(listed))
        assert {item_of(*key) for key in drift.steady} <= set(listed)
        await mirror.sync(relist=True)
        assert held(mirror) == finished(drift.app)


@given(shape=busy, page_size=st.integers(8, 20), changes=st.integers(40, 150), ordered=st.booleans())
async def test_a_listing_of_changes_misses_nothing(
    shape: tuple[int, int, int, int], page_size: int, changes: int, ordered: bool
) -> None:
    """Changes from before the pass arrive with it, later ones with the next, deletions with a complete listing."""
    drift = filled(*shape)
    # However much has changed, it is searched for: the way out, a complete listing, has a proof of its own.
    with patch("syncer.sources.clarifai.changes.SEARCHES", 10**6):
        async with direct(drift.platform, page_size=page_size, overlap=0) as mirror:
            await mirror.sync()
            # The order of hits is not documented.
            drift.platform.shuffle = not ordered
            drift.weights = KEPT
            drift.moved(changes)
            before = finished(drift.app)
            drift.begin()
            assert await mirror.sync() == "delta"
            drift.end()
            now = held(mirror)
            for key in drift.steady:
                assert now[item_of(*key)] >= before[item_of(*key)]
            assert await mirror.sync() == "delta"
            stored, expected = held(mirror), finished(drift.app)
            assert expected.items() <= stored.items()
            assert all(parts_of(item) not in drift.app.annotations for item in stored.keys() - expected.keys())
            assert await mirror.sync(relist=True) == "full"
            assert held(mirror) == expected
