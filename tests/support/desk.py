"""A daemon for tests that never runs anything: what is looked at lies in dictionaries, what is asked for is noted.

`Desk` is both doors of `ports.desk`. A test changes `views`, `accounts`, `debts` and `history` through the methods
here, which also tell whoever waits for changes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from syncer.model.checkpoint import OwedItem
from syncer.model.errors import UnknownName
from syncer.model.refs import ItemKey
from syncer.ports import FleetView, Health, JobView, LiveRun, PlatformView, RunRow

#: The moment at which the desk of `lively` stands.
NOW = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)

WELL = Health(lag=0.002, worst_lag=0.011, idle=0.4, stalled=None, ready=True)


class Desk:
    """See `ports.desk.Overview` and `Control`."""

    def __init__(self, started: datetime = NOW - timedelta(days=12, hours=3)) -> None:
        """Begin with nothing."""
        self.version = "1.2.3"
        self.started = started
        self.views: dict[str, JobView] = {}
        self.accounts: dict[str, PlatformView] = {}
        self.debts: dict[str, list[OwedItem]] = {}
        self.history: list[RunRow] = []
        self.state = WELL
        #: The fleet beside the daemon.
        self.crew: FleetView | None = None
        #: What was asked: ("trigger", "highway", "page").
        self.asked: list[tuple[str, ...]] = []
        #: How often jobs were looked at.
        self.looks = 0
        #: Raised by whatever is asked next, until it is None again.
        self.broken: Exception | None = None
        self._moved = asyncio.Event()

    # ---------------------------------------------------------------------------------------- looked at

    async def jobs(self) -> Sequence[JobView]:
        """Return all jobs."""
        self.looks += 1
        self._whole()
        return list(self.views.values())

    async def platforms(self) -> Sequence[PlatformView]:
        """Return all platforms."""
        self._whole()
        return list(self.accounts.values())

    async def runs(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Return the newest runs first."""
        self._whole()
        found = [row for row in self.history if job is None or row.job == job]
        return sorted(found, key=lambda row: row.started, reverse=True)[:limit]

    async def owed(self, job: str, limit: int) -> Sequence[OwedItem]:
        """Return owed items of a job."""
        self._whole()
        return self.debts.get(job, [])[:limit]

    async def fleet(self) -> FleetView | None:
        """Return what the test set."""
        self._whole()
        return self.crew

    async def health(self) -> Health:
        """Return what the test set."""
        return self.state

    async def changes(self) -> AsyncIterator[None]:
        """Yield after each `moved`."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            yield

    # ---------------------------------------------------------------------------------------- asked for

    async def trigger(self, job: str, why: str) -> bool:
        """Let a job wait for its turn."""
        view = self._known(job)
        self.asked.append(("trigger", job, why))
        if view.state in {"running", "waiting", "draining"}:
            return False
        self.change(job, state="waiting")
        return True

    async def pause(self, job: str) -> None:
        """Mark a job as paused."""
        view = self._known(job)
        self.asked.append(("pause", job))
        self.change(job, paused=True, state=view.state if view.live else "paused", next_run=None)

    async def resume(self, job: str) -> None:
        """Take the mark away."""
        view = self._known(job)
        self.asked.append(("resume", job))
        self.change(job, paused=False, state=view.state if view.live else "idle", next_run=NOW + timedelta(minutes=5))

    async def retry(self, job: str, keys: Sequence[ItemKey] | None = None) -> int:
        """Forget what is owed, as a run would that gets everything."""
        self._known(job)
        named = "all" if keys is None else ",".join(key.item for key in keys)
        self.asked.append(("retry", job, named))
        before = self.debts.get(job, [])
        after = [] if keys is None else [item for item in before if item.key not in keys]
        self.debts[job] = after
        self.change(job, owed=len(after))
        return len(before) - len(after)

    async def hint(self, platform: str, project: str | None) -> Sequence[str]:
        """Note it; return the jobs of the platform."""
        self.asked.append(("hint", platform, project or ""))
        if platform not in self.accounts:
            message = f"no platform {platform!r}"
            raise UnknownName(message, names=(platform,))
        return [view.name for view in self.views.values() if view.platform == platform]

    # ------------------------------------------------------------------------------------------ changed

    def change(self, job: str, **fields: Any) -> None:
        """Replace some fields of a job."""
        self.views[job] = replace(self.views[job], **fields)
        self.moved()

    def progress(self, job: str, **fields: Any) -> None:
        """Replace some fields of the live run of a job."""
        live = self.views[job].live
        assert live is not None
        self.change(job, live=replace(live, **fields))

    def moved(self) -> None:
        """Tell whoever waits that a snapshot would differ."""
        self._moved.set()

    def _known(self, job: str) -> JobView:
        self._whole()
        if job not in self.views:
            message = f"no job {job!r}"
            raise UnknownName(message, names=(job,))
        return self.views[job]

    def _whole(self) -> None:
        if self.broken is not None:
            raise self.broken


def idle(name: str, platform: str = "studio", **fields: Any) -> JobView:
    """Return a job that waits for its next run."""
    view = JobView(
        name=name, platform=platform, sinks={"lake": f"s3://labels/{name}"}, schedule="every 5 m", state="idle",
        paused=False, next_run=NOW + timedelta(minutes=4), last=None, fresh_until=None, items=0, owed=0,
    )  # fmt: skip
    return replace(view, **fields)


def ran(
    job: str, started: datetime, *, stored: int, seconds: float = 42.0, code: int = 0, owed: int = 0,
    stopped: str | None = None, problem: str | None = None,
) -> RunRow:  # fmt: skip
    """Return one line of history."""
    ended = started + timedelta(seconds=seconds)
    counts: Mapping[str, int] = {
        "listed": stored * 3 + owed, "stored": stored, "unchanged": stored * 2, "owed": owed, "updated": stored // 5,
        "bytes": stored * 18_432, "requests": stored + 12, "retries": 1, "throttled": 0,
    }  # fmt: skip
    problems = [] if problem is None else [{"message": problem, "code": code, "hint": "try again later", "leg": None}]
    report = {
        "job": job, "counts": counts, "complete": code == 0, "stopped": stopped, "problems": problems,
        "owed": {"lake": owed}, "destinations": {"lake": f"s3://labels/{job}"},
    }  # fmt: skip
    return RunRow(job, f"{started:%Y%m%dT%H%M%SZ}-{job[:4]}", started, ended, code, report)


def owing(job: str, count: int, *, project: str = "7", reason: str = "") -> list[OwedItem]:
    """Return owed items, the oldest first."""
    reasons = [reason] if reason else ["GET /annotations: 503, given up after 5 attempts", "the document is cut short"]
    return [
        OwedItem(
            leg="lake", key=ItemKey("annotation", project, "2026-11", "lane", f"{job}-{number:04d}"), version="3",
            reason=reasons[number % len(reasons)], attempts=2 + number % 3,
            first=NOW - timedelta(hours=30 - number % 20), next=NOW + timedelta(minutes=7 + number),
        )
        for number in range(count)
    ]  # fmt: skip


def lively() -> Desk:
    """Return a desk with something of everything: a run under way, debts, a pause, a platform that is away."""
    desk = Desk()
    for number in range(24):
        desk.history += [
            ran("highway", NOW - timedelta(days=number + 1, hours=12), stored=800 + (number * 347) % 900, seconds=610),
            ran("street", NOW - timedelta(minutes=5 * number + 1), stored=(number * 7) % 19, seconds=3.4),
        ]
        if number % 3 == 0:
            desk.history.append(ran("clinic", NOW - timedelta(hours=number + 2), stored=60 + number, code=3, owed=4))
    away = "clarifai answered 503 to every request; nothing was listed"
    desk.history += [
        ran("parts", NOW - timedelta(minutes=22 + 9 * number), stored=0, seconds=61, code=75, problem=away)
        for number in range(3)
    ]
    desk.history += [ran("parts", NOW - timedelta(hours=number + 2), stored=40 + number % 5) for number in range(12)]
    desk.debts = {"clinic": owing("clinic", 4), "highway": owing("highway", 2, project="highway")}
    last = {
        name: next(row for row in sorted(desk.history, key=lambda row: row.started, reverse=True) if row.job == name)
        for name in ("highway", "street", "clinic", "parts")
    }
    live = LiveRun(
        run="20261128T142412Z-high", started=NOW - timedelta(minutes=6), stage="fetching", listed=5_120, stored=3_204,
        unchanged=611, owed=2, total=8_400, bytes=61_341_696, items_per_second=9.6, bytes_per_second=184_320.0,
        eta=477.0, requests=3_377, retries=14, throttled=3,
    )  # fmt: skip
    views = [
        idle("highway", "kognic", schedule="cron 0 2 * * * Europe/Stockholm", state="running", live=live,
             sinks={"lake": "s3://labels/highway", "nightly": "file:///srv/exports/highway.zip"},
             next_run=NOW + timedelta(hours=11), items=182_340, owed=2, last=last["highway"],
             fresh_until=NOW - timedelta(hours=13)),
        idle("street", "studio", schedule="every 15 s to 10 m", items=48_112, last=last["street"],
             next_run=NOW + timedelta(seconds=95), fresh_until=NOW - timedelta(minutes=1)),
        idle("clinic", "studio", schedule="after street", state="paused", paused=True, next_run=None, items=9_730,
             owed=4, last=last["clinic"], fresh_until=NOW - timedelta(days=2)),
        idle("parts", "clarifai", schedule="every 9 m", state="waiting", items=22_018, last=last["parts"],
             sinks={"lake": "gs://parts-labels/current"}, next_run=NOW + timedelta(seconds=41),
             fresh_until=NOW - timedelta(hours=2)),
        idle("archive", "vi", schedule="by hand", state="never", next_run=None),
    ]  # fmt: skip
    desk.views = {view.name: view for view in views}
    accounts = [
        PlatformView("kognic", "kognic", "closed", limits={"https://annotation.example.com": 18},
                     rates={"https://annotation.example.com": 27.5}, requests=3_377, retries=14, throttled=3),
        PlatformView("studio", "label_studio", "closed", limits={"http://localhost:8080": 32}, requests=91_204,
                     retries=2),
        PlatformView("clarifai", "clarifai", "open", retry_at=NOW + timedelta(seconds=41),
                     limits={"https://api.clarifai.com": 1}, rates={"https://api.clarifai.com": 14.5}, requests=5_002,
                     retries=75, throttled=0),
        PlatformView("vi", "datature", "half-open", retry_at=NOW),
    ]  # fmt: skip
    desk.accounts = {each.name: each for each in accounts}
    return desk
