"""A worker as its supervisor sees it: the daemon's desk, over a heart that has to reach the database."""

from collections.abc import Callable

from syncer.app.desk import Desk
from syncer.ports import Health

#: Seconds without a successful heartbeat after which the process is to be started anew.
DEAD = 60.0


class WorkerDesk(Desk):
    """What visitors of a worker see."""

    #: Seconds since the last heartbeat that reached the database.
    silence: Callable[[], float] = lambda: 0.0
    #: Seconds between two of them.
    heartbeat: float = 10.0

    async def health(self) -> Health:
        """Return how the process itself is; no database is asked for it."""
        lag, worst = self.lag()
        silence = self.silence()
        stalled = "the heartbeat" if silence > max(DEAD, 3 * self.heartbeat) else None
        reasons = [f"no heartbeat reached the state for {silence:.0f} s"] if silence > 3 * self.heartbeat else []
        reasons += ["it is being stopped"] if self.draining else []
        return Health(lag, worst, silence, stalled, not reasons, tuple(reasons))
