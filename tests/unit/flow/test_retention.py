"""Which superseded versions may go."""

from collections.abc import AsyncIterator

from syncer.flow.retention import History, Keep
from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow
from syncer.ports import SegmentRef


class _Manifest:
    """Three versions of one item, by runs that began in the same second."""

    async def rows(self) -> AsyncIterator[tuple[SegmentRef, ManifestRow]]:
        key = ItemKey("annotation", "7", None, None, "3")
        for number, run in enumerate(("f00d", "0001", "8888")):
            name, at = f"20260101T000000Z-{run}", f"2026-01-01T00:00:00.{number}00Z"
            row = ManifestRow("put", key, str(number), f"3@{number}.json", None, 1, "00", {}, name, at)
            yield SegmentRef("one", 1, "00", 1, number), row


async def test_runs_of_one_second_count_in_their_order() -> None:
    """The last run is the one that wrote last, whatever the random end of its name."""
    history = await History.read(_Manifest())  # type: ignore[arg-type]  # one method of it
    assert [one.row.path for one in history.expired(Keep(1, None))] == ["3@0.json"]
    assert [one.row.path for one in history.expired(Keep(2, None))] == []
    assert len(history.expired(Keep(0, None))) == 2
