"""How many tasks a page may have: follows the server, which may need a minute for what another does in a second."""

from dataclasses import dataclass

#: A page that came in less than this many seconds, and is smaller than `SMALL`, may grow.
QUICK = 2.0
#: A page that took longer is halved next time.
SLOW = 15.0
SMALL = 2 * 1024 * 1024
LARGE = 8 * 1024 * 1024
GROWTH = 1.5


@dataclass(slots=True)
class Pace:
    """Rows of the next page, between 1 and `most`."""

    rows: int
    most: int

    def note(self, rows: int, seconds: float, size: int) -> None:
        """Learn from a page that came: its rows, how long it took, its bytes."""
        if seconds > SLOW or size > LARGE:
            self.rows = max(1, min(self.rows, rows) // 2)
        elif rows >= self.rows and seconds < QUICK and size < SMALL:
            self.rows = min(self.most, int(self.rows * GROWTH) + 1)

    def failed(self, rows: int) -> None:
        """Learn that a page of so many rows did not come at all."""
        self.rows = max(1, min(self.rows, rows // 2))

    def cap(self, rows: int) -> None:
        """Learn that the server never serves more rows than this."""
        self.most = rows
        self.rows = min(self.rows, rows)
