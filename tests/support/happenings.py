"""One event of every kind, for tests of observers."""

import typing
from datetime import UTC, datetime, timedelta

from syncer.model import events
from syncer.model.errors import Exit
from syncer.model.refs import ItemKey, PartitionKey
from syncer.model.report import Counts, Problem, Report

PARTITION = PartitionKey("7", "2026-11", "boxes")
KEY = ItemKey("annotation", "7", None, None, "123")
STARTED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def report(*problems: Problem, **changes: typing.Any) -> Report:
    """Return the report of a run of 65 s that listed ten items."""
    counts = Counts(listed=10, stored=6, unchanged=3, owed=1, bytes=4096, requests=12, retries=2, throttled=1)
    values: dict[str, typing.Any] = {
        "job": "street", "run": "run-1", "started": STARTED, "ended": STARTED + timedelta(seconds=65), "counts": counts,
        "complete": True, "problems": problems, "owed": {"lake": 1},
    }  # fmt: skip
    return Report(**(values | changes))


EVERY: tuple[events.Event, ...] = (
    events.RunStarted("street", "run-1", ("lake", "nightly")),
    events.UnitStarted("7", 1, 4, 1),
    events.UnitEnded("7", complete=True),
    events.PageListed(PARTITION, 10, 20),
    events.PagePlanned(PARTITION, 7, 3, 4096),
    events.ItemFetched(KEY, 512),
    events.ItemOwed(KEY, "404"),
    events.Written("lake", 6, 4096),
    events.Sealed("lake", 6),
    events.Committed("7", 6, 4096),
    events.Staged("nightly"),
    events.PublishedLeg("nightly", 1, 6),
    events.SegmentSent("lake", 6),
    events.HeadMoved("lake", 3),
    events.RequestEnded("https://studio.example", "GET", 200, 0.25, 4096),
    events.Retrying("https://studio.example", 2, 1.5, "503"),
    events.Throttled("https://studio.example", 30.0, 9.0),
    events.LimitChanged("https://studio.example", 8),
    events.LegDetached("nightly", "disk full"),
    events.LegReset("nightly", 6, "the part is gone"),
    events.DeletesHeld("lake", 50, 10),
    events.PartitionFrozen(PARTITION, 5, "404"),
    events.Draining("SIGTERM"),
    events.Warned("a glob matches nothing"),
    events.RunEnded(report(Problem("1 item is owed", Exit.OWING, "syncer owed list"))),
    events.ErasureMoved("street", "located"),
)
