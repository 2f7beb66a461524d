"""What a meter makes of answers."""

import pytest

from syncer.net.pace import Meter


def test_a_meter_tells_a_limit_per_minute_from_one_per_second() -> None:
    """A burst of 600 after a minute's silence is near 10 a second, not the 200 of the burst."""
    meter = Meter()
    meter.refused(3.0, 57.0)
    meter.saturated(3.0, 2.9, success=False)
    for index in range(600):
        at = 60 + index / 200
        meter.answered(at)
        meter.saturated(at, 3.0, success=True)
    assert 9 <= meter.rate(63.0, 60.0) <= 11


def test_a_meter_that_began_a_moment_ago_counts_the_time_it_had() -> None:
    """30 in the six tenths of a second after a pause are 50 a second; 30 as before it are used up for this second."""
    for before, rate in ((0, 50), (30, 30)):
        meter = Meter()
        for _ in range(before):
            meter.answered(0.0)
        meter.refused(0.0, 1.0)
        for index in range(30):
            meter.answered(1.01 + index / 50)
        assert meter.rate(1.6, 1.0) == pytest.approx(rate)


def test_idle_time_is_no_evidence() -> None:
    """A client that asked little for an hour does not conclude that the server allows little."""
    meter = Meter()
    meter.saturated(1.0, 0.9, success=True)
    for index in range(60):
        at = 3600 + index / 100
        meter.answered(at)
        meter.saturated(at, at - 0.05, success=True)
    assert meter.rate(3600.6, 0.0) == 60
