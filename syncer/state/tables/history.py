"""The history of runs: one line a run, the newest thousand of each job."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import orjson

from syncer.model.report import Report
from syncer.model.value import asdict
from syncer.ports import RunRow
from syncer.state.tables.opening import job_id
from syncer.state.tables.rows import stamp
from syncer.state.tables.transaction import Transaction

#: Runs of a job that are remembered: a daemon that looks every 30 seconds forgets what is older than a working day.
KEPT = 1000


def begin(transaction: Transaction, job: str, run: str, started: datetime) -> None:
    """Write the first line of a run."""
    number = job_id(transaction, job)
    transaction.execute("UPDATE jobs SET forgotten = FALSE WHERE id = ? AND forgotten", (number,))
    transaction.execute(
        "INSERT INTO runs (job, run, started) VALUES (?, ?, ?) ON CONFLICT (job, run) DO NOTHING",
        (job, run, stamp(started)),
    )


def end(transaction: Transaction, report: Report, code: int, replaces: str | None = None) -> None:
    """Write how a run ended, also of one that never got as far as beginning; forget the oldest."""
    if replaces is not None and replaces != report.run:
        transaction.execute("DELETE FROM runs WHERE job = ? AND run = ?", (report.job, replaces))
    text = orjson.dumps(asdict(report), default=_plain).decode()
    transaction.execute(
        "INSERT INTO runs (job, run, started, ended, code, report) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (job, run) DO UPDATE SET ended = excluded.ended, code = excluded.code, report = excluded.report",
        (report.job, report.run, stamp(report.started), stamp(report.ended), code, text),
    )
    transaction.execute(
        "DELETE FROM runs WHERE job = ?1"
        " AND id <= (SELECT id FROM runs WHERE job = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (report.job, KEPT),
    )


def runs(transaction: Transaction, job: str | None, limit: int) -> list[RunRow]:
    """Return the newest runs first, of one job or of all."""
    rows = transaction.execute(
        "SELECT job, run, started, ended, code, report FROM runs WHERE CAST(?1 AS TEXT) IS NULL OR job = ?1"
        " ORDER BY started DESC, id DESC LIMIT ?2",
        (job, limit),
    )
    return [
        RunRow(
            name,
            run,
            datetime.fromisoformat(started),
            None if ended is None else datetime.fromisoformat(ended),
            code,
            {} if report is None else orjson.loads(report),
        )
        for name, run, started, ended, code, report in rows
    ]


def _plain(value: object) -> Any:  # noqa: ANN401  # whatever JSON can hold
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    message = f"a report holds a {type(value).__name__}"
    raise TypeError(message)
