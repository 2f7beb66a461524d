"""What a daemon counts for Prometheus: the agreed names, the account's own figures, and nothing beyond."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncer.model import events
from syncer.model.errors import Exit
from syncer.model.report import Counts, Problem
from syncer.model.running import works_for
from syncer.observe.exposition import plain
from syncer.observe.hub import Hub
from syncer.observe.metrics import Metrics
from syncer.observe.outcomes import RESULTS, Outcomes
from syncer.ports import JobView
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.crews import crewed
from tests.support.desk import NOW, idle, lively, ran
from tests.support.engine import CrashError, Engine, crash_at
from tests.support.exposed import families, faults, values
from tests.support.happenings import EVERY, STARTED, report

CONFIG = Path(__file__).resolve().parents[3] / "config"

#: The names that dashboards and alert rules are written with.
AGREED = {
    "syncer_items": ("counter", {"sync_job", "result"}),
    "syncer_bytes": ("counter", {"sync_job"}),
    "syncer_requests": ("counter", {"platform", "class", "status"}),
    "syncer_retries": ("counter", {"platform"}),
    "syncer_throttled": ("counter", {"platform"}),
    "syncer_concurrency_limit": ("gauge", {"platform"}),
    "syncer_queue_bytes": ("gauge", {"sync_job"}),
    "syncer_commit_seconds": ("histogram", {"sync_job", "le"}),
    "syncer_fetch_seconds": ("histogram", {"platform", "le"}),
    "syncer_run_seconds": ("histogram", {"sync_job", "le"}),
    "syncer_runs": ("counter", {"sync_job", "code"}),
    "syncer_run_active": ("gauge", {"sync_job"}),
    "syncer_owed_items": ("gauge", {"sync_job"}),
    "syncer_last_run_timestamp_seconds": ("gauge", {"sync_job"}),
    "syncer_last_run_exit_code": ("gauge", {"sync_job"}),
    "syncer_fresh_until_timestamp_seconds": ("gauge", {"sync_job"}),
    "syncer_next_run_timestamp_seconds": ("gauge", {"sync_job"}),
    "syncer_circuit_open": ("gauge", {"platform"}),
    "syncer_event_loop_lag_seconds": ("histogram", {"le"}),
    "syncer_build_info": ("gauge", {"version"}),
    "syncer_fleet_workers": ("gauge", {"state"}),
    "syncer_fleet_units": ("gauge", {"queue", "state"}),
    "syncer_fleet_runs": ("gauge", {"state"}),
}


def opened(allow_owed: int = 0) -> Metrics:
    """Return metrics that counted nothing."""
    return Metrics(Outcomes("1.2.3", allow_owed))


def shown(metrics: Metrics) -> str:
    """Return the text of a scrape."""
    return plain(metrics.collect()).decode()


def used() -> Metrics:
    """Return metrics that heard of everything, of a daemon with all sorts of jobs."""
    metrics, desk = opened(), lively()
    metrics.show(list(desk.views.values()), list(desk.accounts.values()))
    with works_for("street", "run-1"):
        for event in EVERY:
            metrics(replace(event, platform="studio") if hasattr(event, "platform") else event)
    metrics.late(0.003)
    metrics.fleet.show(crewed())
    return metrics


def test_names_types_and_labels_are_those_agreed() -> None:
    """Dashboards and alert rules rest on them."""
    found = {family.name: family for family in families(shown(used()))}
    for name, (kind, labels) in AGREED.items():
        assert found[name].type == kind, name
        assert {label for sample in found[name].samples for label in sample.labels} == labels, name


@pytest.mark.parametrize("file", ["grafana/syncer.json", "prometheus/alerts.yaml"])
def test_what_is_shipped_asks_for_what_there_is(file: str) -> None:
    """Every name in the dashboard and in the alert rules is one that a daemon shows."""
    asked = set(re.findall(r"\bsyncer_[a-z_]+", (CONFIG / file).read_text("utf-8")))
    shown_names = {sample.name for family in families(shown(used())) for sample in family.samples}
    assert asked
    assert asked <= shown_names


def test_a_scrape_is_without_fault() -> None:
    """As promtool would check it: form, names, units, help, duplicates, buckets; and labels are known names."""
    assert faults(shown(used())) == []
    assert faults(shown(opened())) == []


def test_the_check_finds_faults() -> None:
    """A check that finds nothing in a bad text would prove nothing."""
    bad = (
        '# TYPE syncer_waits_ms gauge\nsyncer_waits_ms{origin="https://x"} 1\nsyncer_waits_ms{origin="https://x"} 2\n'
        "# HELP syncer_tries Tries.\n# TYPE syncer_tries counter\nsyncer_tries -1\n"
        '# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_bucket{le="1"} 5\nh_seconds_bucket{le="+Inf"} 4\n'
        "h_seconds_count 4\nh_seconds_sum 1\n"
    )
    words = "\n".join(faults(bad))
    for word in ("no help", "base units", "origin=", "2 times", "_total", "add up"):
        assert word in words


def test_requests_are_counted_by_platform_purpose_and_answer() -> None:
    """The origin is shown nowhere, a status only by its class; no answer, and 429, have a name of their own."""
    metrics = opened()
    for status in (200, 204, 301, 404, 429, 503, 0):
        metrics(events.RequestEnded("https://x.example", "GET", status, 0.3, 9, "studio", "content"))
    metrics(events.RequestEnded("https://x.example", "POST", 200, 7.0, 9, "other", "auth"))
    got, text = values(shown(metrics)), shown(metrics)
    told = {
        key.partition("status=")[2].strip('"}'): value
        for key, value in got.items() if key.startswith("syncer_requests_total") and 'platform="studio"' in key
    }  # fmt: skip
    assert told == {"2xx": 2, "3xx": 1, "4xx": 1, "429": 1, "5xx": 1, "none": 1}
    assert got['syncer_requests_total{class="auth",platform="other",status="2xx"}'] == 1
    assert got['syncer_fetch_seconds_count{platform="studio"}'] == 2, "what failed fast is no speed"
    assert got['syncer_fetch_seconds_bucket{le="0.5",platform="studio"}'] == 2
    assert got['syncer_fetch_seconds_bucket{le="0.25",platform="studio"}'] == 0
    assert got['syncer_fetch_seconds_sum{platform="other"}'] == 7
    assert "example" not in text


def test_limits_add_up_over_origins() -> None:
    """A platform's interface and its store each have their own; the sum is what may be in flight."""
    metrics = opened()
    for origin, limit in (("https://a", 4), ("https://b", 4), ("https://a", 9)):
        metrics(events.LimitChanged(origin, limit, "studio"))
    assert values(shown(metrics))['syncer_concurrency_limit{platform="studio"}'] == 13


def test_a_run_under_way_shows_what_it_did_so_far() -> None:
    """Its account is read at each scrape and added to those before; the end of the run adds nothing twice."""
    metrics, counts = opened(), Counts(listed=5, stored=2, bytes=70)
    metrics(events.RunEnded(report(job="street", run="0")))
    metrics(events.RunStarted("street", "1", (), counts, lambda: 4096))
    counts.stored = 4
    got = values(shown(metrics))
    assert got['syncer_items_total{result="stored",sync_job="street"}'] == 6 + 4
    assert got['syncer_bytes_total{sync_job="street"}'] == 4096 + 70
    assert got['syncer_queue_bytes{sync_job="street"}'] == 4096
    assert got['syncer_run_active{sync_job="street"}'] == 1
    metrics(events.RunEnded(report(job="street", run="1", counts=counts)))
    got = values(shown(metrics))
    assert got['syncer_items_total{result="stored",sync_job="street"}'] == 6 + 4
    assert (got['syncer_run_active{sync_job="street"}'], got['syncer_queue_bytes{sync_job="street"}']) == (0, 0)


def test_a_run_that_was_cancelled_counts() -> None:
    """It has no end; when the next run of the job begins, what it did is added, and no counter ever falls."""
    metrics = opened()
    metrics(events.RunStarted("street", "1", (), Counts(stored=3)))
    metrics(events.RunStarted("street", "2", (), Counts(stored=1)))
    assert values(shown(metrics))['syncer_items_total{result="stored",sync_job="street"}'] == 4


def test_runs_are_counted_by_their_exit_code() -> None:
    """All codes are there from the beginning, so that the first failure is an increase."""
    metrics = opened()
    metrics.show([idle("street")], [])
    assert values(shown(metrics))['syncer_runs_total{code="75",sync_job="street"}'] == 0
    metrics(events.RunEnded(report(Problem("away", Exit.NOT_NOW), owed={})))
    got = values(shown(metrics))
    assert got['syncer_runs_total{code="75",sync_job="street"}'] == 1
    assert got['syncer_last_run_exit_code{sync_job="street"}'] == 75
    assert got['syncer_last_run_timestamp_seconds{sync_job="street"}'] == (STARTED + timedelta(seconds=65)).timestamp()
    assert got['syncer_run_seconds_bucket{le="300.0",sync_job="street"}'] == 1
    assert got['syncer_run_seconds_bucket{le="60.0",sync_job="street"}'] == 0


def test_jobs_are_apart() -> None:
    """Commits of runs side by side are counted for the job whose task they come from."""
    metrics = opened()
    for job in ("street", "highway"):
        with works_for(job, "1"):
            metrics(events.Committed("7", 6, 100, 0.02))
    metrics(events.Committed("7", 6, 100, 0.02))
    got = values(shown(metrics))
    assert got['syncer_commit_seconds_count{sync_job="street"}'] == 1
    assert got['syncer_commit_seconds_bucket{le="0.025",sync_job="highway"}'] == 1


def test_a_restarted_daemon_shows_what_the_state_remembers() -> None:
    """Before anything runs: the last run, what is owed, the freshness, and when the next run is due."""
    metrics, last = opened(), ran("street", NOW - timedelta(hours=1), stored=7, code=3, owed=2)
    view = idle("street", last=last, fresh_until=NOW - timedelta(hours=5), owed=2)
    metrics.show([view, idle("new", next_run=None)], [])
    got = values(shown(metrics))
    assert got['syncer_fresh_until_timestamp_seconds{sync_job="street"}'] == (NOW - timedelta(hours=5)).timestamp()
    assert got['syncer_last_run_exit_code{sync_job="street"}'] == 3
    assert got['syncer_last_run_items{result="stored",sync_job="street"}'] == 7
    assert got['syncer_owed_items{sync_job="street"}'] == 2
    assert got['syncer_next_run_timestamp_seconds{sync_job="street"}'] == (NOW + timedelta(minutes=4)).timestamp()
    assert not [key for key in got if "new" in key and ("fresh" in key or "next_run" in key or "last_run" in key)]


def test_a_view_from_before_the_last_run_changes_nothing() -> None:
    """The end of a run is known at once; a snapshot that was taken before it comes too late."""
    metrics = opened()
    metrics(events.RunEnded(report(fresh_until=STARTED)))
    old: JobView = idle("street", last=ran("street", STARTED - timedelta(days=1), stored=1, code=75), fresh_until=None)
    metrics.show([old], [])
    got = values(shown(metrics))
    assert got['syncer_last_run_exit_code{sync_job="street"}'] == 3
    assert got['syncer_fresh_until_timestamp_seconds{sync_job="street"}'] == STARTED.timestamp()


def test_a_share_does_not_speak_for_its_job() -> None:
    """One share that is fresh says nothing of the others."""
    metrics = opened()
    metrics(events.RunEnded(report(share="1/4", fresh_until=STARTED)))
    assert not [key for key in values(shown(metrics)) if "fresh" in key]


def test_circuits() -> None:
    """A platform that is left alone, or being tried, is not known to work."""
    metrics = opened()
    metrics.show([], list(lively().accounts.values()))
    got = values(shown(metrics))
    assert {name: got[f'syncer_circuit_open{{platform="{name}"}}'] for name in ("kognic", "clarifai", "vi")} == {
        "kognic": 0, "clarifai": 1, "vi": 1,
    }  # fmt: skip


@pytest.mark.parametrize("inline", [False, True])
async def test_the_figures_are_those_of_the_account(tmp_path: Path, inline: bool) -> None:
    """After runs with corrections, deletions, owed items and context, each counter is the sum of the reports."""
    platform, metrics = MemoryPlatform(40), opened()
    platform.context("7", b"<View/>")
    source = MemorySource(platform, inline=inline)
    reports = []
    for number in range(3):
        engine = Engine(tmp_path, source)
        hub = Hub([metrics])
        engine.emit = hub.emit
        reports.append(await engine.run())
        assert not [event for event in engine.events if isinstance(event, events.Warned)]
        platform.put("7")
        platform.delete(str(number + 11))
        platform.fail(f"new-{number}", times=1)
        platform.put(f"new-{number}")
    got = values(shown(metrics))
    for name in RESULTS:
        told = sum(getattr(each.counts, name) for each in reports)
        assert got[f'syncer_items_total{{result="{name}",sync_job="job"}}'] == told, name
    assert got['syncer_bytes_total{sync_job="job"}'] == sum(each.counts.bytes for each in reports)
    assert got['syncer_commit_seconds_count{sync_job="job"}'] >= len(reports)
    assert got['syncer_queue_bytes{sync_job="job"}'] == 0
    assert faults(shown(metrics)) == []


async def test_scrapes_during_a_run_only_ever_grow(tmp_path: Path) -> None:
    """Whatever moment a scrape comes at, no counter is smaller than before, also across a crash of the run."""
    platform, metrics = MemoryPlatform(60), opened()
    seen: list[float] = []

    def scrape(event: events.Event) -> None:
        metrics(event)
        seen.append(values(shown(metrics)).get('syncer_items_total{result="stored",sync_job="job"}', 0))

    dying = Engine(tmp_path, MemorySource(platform))
    die = crash_at(3, [events.Committed])
    dying.emit = lambda event: (scrape(event), die(event))[1]
    with pytest.raises(BaseExceptionGroup) as died:
        await dying.run()
    assert died.group_contains(CrashError)
    again = Engine(tmp_path, MemorySource(platform))
    again.emit = scrape
    await again.run()
    assert seen == sorted(seen)
    assert seen[-1] >= 60
