"""Time, as the engine sees it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the engine sees it. The shipped fake runs on virtual time."""

    def now(self) -> datetime:
        """Return the wall clock, aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a cancellation point even for 0."""
