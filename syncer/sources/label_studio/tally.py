"""What a delta adds to the server's count: the only way to notice a deleted task without listing all of them.

Where counts tell which tasks are finished, finished tasks are counted. Where single annotations are chosen, or are
the items, no filter of the server counts the same as we do: then all tasks are counted, finished or not.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from syncer.model.refs import ItemKey
from syncer.sources.label_studio.documents import Reader
from syncer.sources.label_studio.queries import Filter, annotated, skipped, time_text
from syncer.sources.label_studio.rows import Row, moment_of

#: Most tasks of a delta that are remembered until the sweep meets them.
REMEMBERED = 20_000
#: A `Date` header has whole seconds, and a row is stamped a little before it is committed.
GRAIN = timedelta(seconds=2)


class Tally(msgspec.Struct):
    """Counts the tasks of one pass."""

    reader: Reader
    #: Tasks that change after this moment can be listed again in this pass.
    fresh_since: datetime | None = None
    #: How they were counted last: True for a task that stands in the sum.
    _fresh: dict[int, bool] = msgspec.field(default_factory=dict)
    #: Tasks with items that the delta showed, and that a sweep has to meet; None: too many to tell.
    _shown: set[int] | None = msgspec.field(default_factory=set)
    _mark: str = "~"

    def begin(self, date: datetime) -> None:
        """Note the server's time at the beginning of the pass."""
        self.fresh_since = date - GRAIN
        # Compared as text, to the second: a miss costs a second look, nothing else.
        self._mark = time_text(self.fresh_since)[:19]

    @property
    def of_finished(self) -> bool:
        """Whether finished tasks are counted, not all."""
        return not self.reader.needs_heads

    @property
    def filters(self) -> tuple[tuple[Filter, ...], bool]:
        """What the server is asked to count, and whether all of the filters must hold."""
        if not self.of_finished:
            return (), True
        if self.reader.choice.include_cancelled:
            return (annotated(), skipped()), False
        return (annotated(),), True

    def base(self, total: int) -> int:
        """Return where the count of a complete listing begins; `total`: all tasks at its beginning."""
        return 0 if self.of_finished else total

    def listed(self, rows: Sequence[Row]) -> int:
        """Return what rows of a complete listing add."""
        if self._shown:
            self._shown.difference_update([row.id for row in rows])
        return sum(bool(row.refs) for row in rows) if self.of_finished else 0

    def changed(self, rows: Sequence[Row], known: Collection[ItemKey], created: datetime | None) -> int:
        """Return what rows of a delta add or take away.

        A finished task is new unless its item is known; one that is not finished leaves if it was known. Of all
        tasks, those created after the newest of the last count are new: ids would not tell, they are given twice.
        """
        moved = 0
        for row in rows:
            if self.of_finished:
                now = bool(row.refs)
                before = any(key in known for key in row.keys)
            else:
                now, before = True, not _is_after(row, created)
            moved += now - self._fresh.get(row.id, before)
            if row.updated_at >= self._mark:
                self._fresh[row.id] = now
        if self._shown is not None:
            self._shown.update([row.id for row in rows if row.refs])
            if len(self._shown) > REMEMBERED:
                self._shown = None
        return moved

    @property
    def unmet(self) -> bool:
        """Whether a sweep may have missed what the delta had shown: deleted in between, and seen by this pass."""
        return self._shown is None or bool(self._shown)


def _is_after(row: Row, created: datetime | None) -> bool:
    """Tell whether a task was created after a moment; one that can't be read counts as old."""
    return bool(row.created_at) and (created is None or moment_of(row.created_at) > created)
