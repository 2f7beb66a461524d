"""The fleet as gauges: what each means, and that nothing is said where nothing is known."""

from msgspec.structs import replace

from syncer.observe.exposition import plain
from syncer.observe.fleet import FleetGauges
from tests.support.crews import crewed
from tests.support.exposed import faults, values


def scraped(gauges: FleetGauges) -> dict[str, float]:
    """Return the samples of a scrape."""
    text = plain(gauges.collect()).decode()
    assert faults(text) == []
    return dict(values(text))


def test_a_fleet_is_shown_by_workers_units_and_runs() -> None:
    """Each state has its figure; a paused run is paused wherever it stands, and one that ended counts no more."""
    gauges = FleetGauges()
    gauges.show(crewed())
    assert scraped(gauges) == {
        'syncer_fleet_workers{state="working"}': 2,
        'syncer_fleet_workers{state="draining"}': 0,
        'syncer_fleet_workers{state="silent"}': 1,
        'syncer_fleet_units{queue="default",state="waiting"}': 89,
        'syncer_fleet_units{queue="default",state="running"}': 7,
        'syncer_fleet_units{queue="default",state="stalled"}': 1,
        'syncer_fleet_units{queue="big",state="waiting"}': 1,
        'syncer_fleet_units{queue="big",state="running"}': 0,
        'syncer_fleet_units{queue="big",state="stalled"}': 0,
        'syncer_fleet_runs{state="planning"}': 1,
        'syncer_fleet_runs{state="running"}': 1,
        'syncer_fleet_runs{state="finalising"}': 0,
        'syncer_fleet_runs{state="paused"}': 1,
    }


def test_a_fleet_at_rest_is_a_row_of_zeros() -> None:
    """Without workers and runs the figures are there, so that an alert can rest on them."""
    gauges = FleetGauges()
    gauges.show(replace(crewed(), workers=(), runs=(), queues=()))
    got = scraped(gauges)
    assert got['syncer_fleet_workers{state="working"}'] == 0
    assert set(got.values()) == {0}


def test_without_a_fleet_nothing_is_said() -> None:
    """A state in a file has none, and of one that is away nobody knows how it stands."""
    gauges = FleetGauges()
    assert scraped(gauges) == {}
    gauges.show(crewed())
    gauges.show(None)
    assert scraped(gauges) == {}
