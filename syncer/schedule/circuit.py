"""A platform that is away is left alone: its jobs wait, and one cheap request a minute asks whether it is back.

A run that ended because its platform did not answer is only a suspicion: a single broken endpoint ends runs, too. So a
probe follows at once, and only its failure opens the circuit. While it is open no run of the platform begins; jobs of
other platforms know nothing of it.
"""

import msgspec

#: Seconds between two probes.
PAUSE = 60.0


class Circuit(msgspec.Struct):
    """What is known of one platform account. Times are those of a clock that never runs backwards."""

    #: The platform did not answer: it is left alone until a probe succeeds.
    open: bool = False
    #: When the next probe is due; None while nothing is suspected.
    probe_at: float | None = None
    probing: bool = False

    @property
    def closed(self) -> bool:
        """Tell whether runs may begin."""
        return not self.open and self.probe_at is None and not self.probing

    def suspect(self, now: float) -> None:
        """A run found nobody at home."""
        if self.closed:
            self.probe_at = now

    def hurry(self, now: float) -> None:
        """Somebody wants to know now."""
        if self.probe_at is not None:
            self.probe_at = min(self.probe_at, now)

    def probe_due(self, now: float) -> bool:
        """Tell whether a probe is to be sent now."""
        return not self.probing and self.probe_at is not None and self.probe_at <= now

    def begin(self) -> None:
        """A probe is on its way."""
        self.probing = True
        self.probe_at = None

    def answered(self, now: float, *, alive: bool) -> bool:
        """Take the outcome of a probe; tell whether the circuit opened or closed by it."""
        before = self.open
        self.probing = False
        self.open = not alive
        self.probe_at = None if alive else now + PAUSE
        return before != self.open
