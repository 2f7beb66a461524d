"""What probes answer: words from what the daemon says of itself. Pure.

An empty answer means that all is well. A database or a platform that is away is nobody's reason to restart a process,
so liveness never looks at them, and readiness only at what the daemon itself calls ready.
"""

from collections.abc import Sequence

from syncer.model.units import show_duration
from syncer.observe.screen import printable
from syncer.ports import Health, JobView, PlatformView

#: Seconds by which the event loop may be late.
LATE = 5.0


def alive(health: Health | None) -> tuple[str, ...]:
    """Return why the process should be started anew.

    That it answered at all says that its loop turns; that it does not know how it is, is not worth a restart.
    """
    if health is None:
        return ()
    problems: list[str] = []
    if health.lag >= LATE:
        problems.append(f"the event loop is {health.lag:.1f} s late")
    if health.stalled is not None:
        problems.append(f"{printable(health.stalled)} has not moved for {show_duration(health.idle)}")
    return tuple(problems)


def ready(health: Health | None) -> tuple[str, ...]:
    """Return why the process does not work now."""
    if health is None:
        return ("the daemon does not say how it is",)
    if health.ready:
        return ()
    return tuple(map(printable, health.reasons)) or ("not ready",)


def checked(health: Health | None, problems: Sequence[str]) -> list[str]:
    """Return a line for each thing that decides."""
    lines = [f"[-] daemon: {problem}" for problem in problems]
    if health is not None:
        lag = f"event loop {health.lag * 1000:.0f} ms late, {health.worst_lag * 1000:.0f} ms at worst"
        lines.append(f"{_mark(well=health.lag < LATE)} {lag}")
        lines.append(f"{_mark(well=health.stalled is None)} last progress {show_duration(health.idle)} ago")
    return lines


def looked(jobs: Sequence[JobView], platforms: Sequence[PlatformView]) -> list[str]:
    """Return a line for each thing that decides nothing: platforms and jobs."""
    lines: list[str] = []
    for platform in platforms:
        until = "" if platform.retry_at is None else f" until {platform.retry_at:%H:%M:%SZ}"
        words = "well" if platform.circuit == "closed" else f"left alone{until}"
        lines.append(f"{_mark(well=platform.circuit == 'closed')} platform {printable(platform.name)}: {words}")
    for job in jobs:
        well = job.last is None or not job.last.code
        fresh = "never" if job.fresh_until is None else f"{job.fresh_until:%Y-%m-%dT%H:%M:%SZ}"
        lines.append(
            f"{_mark(well=well)} job {printable(job.name)}: {job.state}, {job.owed:,} owed, fresh until {fresh}"
        )
    return lines


def _mark(*, well: bool) -> str:
    return "[+]" if well else "[-]"
