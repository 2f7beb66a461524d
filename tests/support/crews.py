"""A fleet with something of everything, as a state would show it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from syncer.ports import FleetAccount, FleetQueue, FleetRun, FleetRunState, FleetView, FleetWorker, WorkerState

_NOW = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)


def crewed() -> FleetView:
    """Return a fleet with a worker that fell silent and left a unit, and runs at every stage."""
    return FleetView(
        workers=[_worker("a", "working", 4), _worker("b", "working", 3), _worker("c", "silent", 1)],
        runs=[
            _run("street", "running", "default", units=100, waiting=80, running=7, done=13, listed=4_000, stored=1_200),
            _run("clinic", "running", "default", units=9, waiting=9, paused=True),
            _run("highway", "planning", "big"),
            _run("parts", "ended", "default", units=5, done=5, code=0, ended=_NOW),
        ],
        queues=[FleetQueue("default", 89, 7, 1), FleetQueue("big", 1, 0, 0)],
        accounts=[
            FleetAccount("studio", "https://studio.example.com", 27.5, 32, 0.0, 3),
            FleetAccount("vi", "https://vi.example.com", None, 16, 41.0, 2),
        ],
    )


def _worker(name: str, state: WorkerState, running: int) -> FleetWorker:
    heard = 400.0 if state == "silent" else 2.5
    return FleetWorker(name, f"pod-{name}", 1, "1.2.3", (), 4, running, _NOW - timedelta(hours=2), heard, state)


def _run(job: str, state: FleetRunState, queue: str, **fields: Any) -> FleetRun:
    figures = dict.fromkeys(
        ("units", "waiting", "running", "done", "stalled", "listed", "stored", "unchanged", "owed", "bytes"), 0
    )
    values: dict[str, Any] = {"created": _NOW - timedelta(minutes=9), "ended": None, **figures, **fields}
    return FleetRun(job=job, run=f"run-{job}", state=state, why="schedule", queue=queue, **values)
