"""The history of runs."""

from contextlib import closing
from datetime import timedelta

import pytest

from syncer.model.report import Counts, Report
from syncer.state.sqlite.schema import connect
from syncer.state.tables import history
from tests.support.stored import START


def report(job: str, number: int) -> Report:
    """Return the report of a run."""
    at = START + timedelta(minutes=number)
    return Report(job, f"run-{number}", at, at, Counts(), complete=True)


def test_history_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest runs of a job are forgotten, those of others are not."""
    monkeypatch.setattr(history, "KEPT", 3)
    with closing(connect(None, busy_seconds=1)) as connection:
        history.end(connection, report("other", 0), 0)
        for number in range(7):
            history.end(connection, report("job", number), 0)
        assert [run.run for run in history.runs(connection, "job", 10)] == ["run-6", "run-5", "run-4"]
        assert len(history.runs(connection, "other", 10)) == 1
