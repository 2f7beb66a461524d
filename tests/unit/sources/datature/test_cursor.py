"""Cursors and the memory in them: versioned, bounded, and never more than a hint."""

from datetime import UTC, datetime

import pytest

from syncer.model.refs import Cursor
from syncer.net.pages import conditions
from syncer.ports import Selection
from syncer.sources.datature import memory as memory_module
from syncer.sources.datature.cursor import Position, read_cursor
from syncer.sources.datature.memory import Memory
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import mirrored


def test_a_cursor_is_read_back_under_its_own_conditions() -> None:
    """Another format, other options, or another window of time: the listing begins anew."""
    position = Position(under="x", token="t", after="asset-1", start=datetime(2026, 1, 1, tzinfo=UTC), memory="m")
    assert read_cursor(position.cursor(), "x") == position
    assert read_cursor(position.cursor(), "y") is None
    for text in ("", "{}", '{"v":2,"under":"x"}', "nonsense"):
        assert read_cursor(Cursor(text), "x") is None
    assert read_cursor(None, "x") is None
    since = Selection(since=datetime(2026, 1, 1, tzinfo=UTC))
    assert len({conditions("a", Selection()), conditions("b", Selection()), conditions("a", since)}) == 3


def test_memory_tells_known_changed_and_new() -> None:
    """Ten characters an asset; what was not noted again is forgotten, or carried on after an interrupted pass."""
    memory = Memory()
    for number in range(1000):
        memory.note(f"asset-{number}", f"state {number}")
    assert len(memory.noted()) == 10_000
    again = Memory.read(memory.noted())
    assert again.knows("asset-7", "state 7") is True
    assert again.knows("asset-7", "state 8") is False
    assert again.knows("asset-1007", "state 7") is None
    again.note("asset-7", "")
    assert Memory.read(again.text()).knows("asset-7", "state 7") is False
    assert Memory.read(again.text()).knows("asset-8", "state 8") is True
    assert Memory.read(again.noted()).knows("asset-8", "state 8") is None


@pytest.mark.parametrize("text", ["", "abc", "\x00", "é" * 8])
def test_a_damaged_memory_is_forgotten(text: str) -> None:
    """It says nothing, so that every asset is looked at again."""
    assert Memory.read(text).knows("asset-1", "state") is None


async def test_beyond_its_bound_times_alone_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more assets than are remembered an edit is still found by its time."""
    monkeypatch.setattr(memory_module, "MOST", 5)
    async with DataturePlatform() as platform:
        platform.dataset().generate(20, 1)
        async with mirrored(platform) as mirror:
            await mirror.sync()
            # The clock of the emulated edits stands in the past: later than the last pass is what counts.
            asset, _ = platform.dataset().find("annot-000015")
            platform.dataset().change("annot-000015")
            asset.resource["metadata"]["lastUpdated"] = datetime.now(UTC).timestamp() * 1000
            before = dict(mirror.items)
            platform.log.clear()
            assert await mirror.sync() == "full"
            assert platform.asked("annotations") == 1
            assert sum(mirror.items[key] != item for key, item in before.items()) == 1
