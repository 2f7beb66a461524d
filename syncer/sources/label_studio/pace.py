"""How many tasks a page may have: follows the server, which may need a minute for what another does in a second."""

import msgspec

#: A page that came in less than this many seconds may grow.
QUICK = 2.0
#: A page that took longer is halved next time.
SLOW = 15.0
#: Bytes of a page to aim at: memory holds a few pages at once, whatever the size of a document.
AIM = 1024 * 1024
#: Growth from one page to the next, and once a page was too much for the server.
GROWTH, CAREFUL = 4, 1.5


class Pace(msgspec.Struct):
    """Rows of the next page, between 1 and `most`."""

    rows: int
    most: int
    #: Half of what was too much once: up to there growth is quick, beyond it careful. 0: nothing was too much yet.
    threshold: int = 0

    def note(self, rows: int, seconds: float, size: int) -> None:
        """Learn from a page that came: its rows, how long it took, its bytes."""
        fits = max(1, AIM * rows // size) if rows and size else self.most
        if seconds > SLOW:
            self.failed(rows)
        elif fits < self.rows:
            self.rows = fits
        elif rows >= self.rows and seconds < QUICK:
            self.rows = min(self.most, fits, self._grown())

    def failed(self, rows: int) -> None:
        """Learn that a page of so many rows did not come, or took too long."""
        self.threshold = max(1, rows // 2)
        self.rows = min(self.rows, self.threshold)

    def cap(self, rows: int) -> None:
        """Learn that the server never serves more rows than this."""
        self.most = rows
        self.rows = min(self.rows, rows)

    def _grown(self) -> int:
        quick, careful = self.rows * GROWTH, int(self.rows * CAREFUL) + 1
        return quick if not self.threshold else max(careful, min(quick, self.threshold))
