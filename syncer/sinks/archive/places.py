"""Which archive an entry goes to.

The place of an entry is decided when it is written, and final: a replaced one stays in its archive, a new one goes
to the tail of its stem while that has room, else to the next part. In `append` and `delta` mode archives that are
published stay as they are, so there a replaced entry goes to the tail too, and the old one counts as dead.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from syncer.model.entries import Container, Entry, StoredRow
from syncer.model.errors import SettingsError
from syncer.sinks.archive.form import Form
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.names import PartId, part_id
from syncer.sinks.archive.store import Store
from syncer.sinks.archive.zipped import ZipForm
from syncer.sinks.zip64.records import CENTRAL, LOCAL

Mode = Literal["current", "append", "delta"]

#: Paths remembered at least, with their archives, for entries that come again before the checkpoint knows them: more
#: than a long page of a listing has and the queues behind it hold. Twice as many at most, some 2 MB.
_RECENT = 4_096
#: What one entry adds to an archive beside its name (twice) and its payload; ZIP64 fields included.
_OVERHEAD = LOCAL.size + CENTRAL.size + 48


class Rules(msgspec.Struct, frozen=True):
    """The options of a sink that decide where entries go."""

    mode: Mode = "current"
    #: Bytes that a part doesn't pass, unless one entry is larger.
    limit: int = 2 << 30
    #: Force to disk what is sealed and staged.
    durable: bool = True
    #: An item has one path at a time; else the entries at its older paths are kept.
    moves: bool = True
    #: Share of dead entries from which compacting is due.
    worn: float = 1.0
    #: Entries that a part doesn't pass.
    items: int | None = None
    #: What kind of files the archives are.
    form: Form = msgspec.field(default_factory=ZipForm)


class Part(msgspec.Struct):
    """One archive: what is published of it, and what is new."""

    name: str
    id: PartId
    published: Container | None = None
    fresh: Fresh | None = None

    @property
    def size(self) -> int:
        """Bytes that it will have at most, before superseded entries are squeezed out."""
        return (self.published.size if self.published else 0) + (self.fresh.size if self.fresh else 0)

    @property
    def entries(self) -> int:
        """Entries that it will have at most."""
        return (self.published.live if self.published else 0) + (self.fresh.entries if self.fresh else 0)


#: What to do about an archive that neither the state nor HEAD names: without either, what is in it is nobody's.
_TAKEN = (
    "if syncer wrote it and its manifest is still there: `syncer state rebuild` the job, or `syncer adopt` it from"
    " another job; else move it away (it is a complete archive, or becomes one by `syncer repair --salvage`) and run"
    " again: everything is fetched into a new one"
)


class Places:
    """The archives of one unit by name, and where entries go among them. Blocking."""

    def __init__(self, root: Path, store: Store, published: Sequence[Container], rules: Rules, epoch: int) -> None:
        """Take the folder where archives grow, and what is published in the store; nothing is touched yet."""
        self.root, self.store, self.rules, self._epoch = root, store, rules, epoch
        self.parts: dict[str, Part] = {}
        self._tails: dict[str, Part] = {}
        self._recent: dict[tuple[str, str], str] = {}
        self._earlier: dict[tuple[str, str], str] = {}
        for container in published:
            self.part(container.name).published = container

    def part(self, name: str) -> Part:
        """Return an archive by name, known or not."""
        part = self.parts.get(name)
        if part is None:
            part = self.parts[name] = Part(name, part_id(name))
        return part

    def fresh_of(self, name: str) -> Fresh:
        """Return the unpublished changes of an archive, begun if there are none."""
        part = self.part(name)
        if part.fresh is None:
            part.fresh = Fresh(self.root, name)
        return part.fresh

    def place(self, entry: Entry, stem: str) -> str:
        """Return the archive that an entry goes to, and note what it leaves behind elsewhere."""
        name = self._home(entry.path, entry.replaces, stem) or self._tail(stem, entry)
        self._recent[stem, entry.path] = name
        if len(self._recent) > _RECENT:
            self._recent, self._earlier = {}, self._recent
        return name

    def vacate(self, row: StoredRow) -> None:
        """Take a stored entry out of wherever it is; an archive that is unknown holds nothing."""
        part = self.parts.get(row.container or "")
        if part is not None:
            name = self._forget(part.id.stem, row.path)
            self._leave(self.parts.get(name or "", part), row.path)

    def closed(self) -> None:
        """Look for the tails again: archives were published or dropped."""
        self._tails.clear()

    def free(self, stem: str) -> PartId:
        """Return the next part of a stem.

        Raises:
            SettingsError: an archive that is not ours has that name; what others wrote is never replaced.
        """
        generation = self._epoch if self.rules.mode == "delta" else 0
        ids = [part.id for part in self.parts.values()]
        used = [one.number for one in ids if (one.stem, one.generation) == (stem, generation)]
        free = PartId(stem, generation, 1 + max(used, default=0), self.rules.form.ending)
        if self.store.exists(free.name):
            message = f"{self.store.where(free.name)} exists already, and this job did not write it"
            raise SettingsError(message, hint=_TAKEN)
        return free

    def _home(self, path: str, row: StoredRow | None, stem: str) -> str | None:
        """Return the archive that a known entry stays in, None if it moves; what it leaves behind is noted."""
        name, old = self._recent.get((stem, path)) or self._earlier.get((stem, path)), path
        if name is None and row is not None:
            name, old = row.container, row.path
        part = self.parts.get(name or "")
        if part is None:
            return None
        stays = self._ours(part, stem) and (self.rules.mode == "current" or part.published is None)
        if (old != path or not stays) and (old == path or self.rules.moves):
            self._forget(part.id.stem, old)
            self._leave(part, old)
        return part.name if stays else None

    def _forget(self, stem: str, path: str) -> str | None:
        """Return where a path was written lately, and keep it in mind no longer."""
        earlier = self._earlier.pop((stem, path), None)
        return self._recent.pop((stem, path), earlier)

    def _leave(self, part: Part, path: str) -> None:
        """Take an entry out of its archive, or count it as dead where that stays as it is."""
        stays = self.rules.mode != "current" and part.published is not None
        self.fresh_of(part.name).note("dead" if stays else "drop", path)

    def _tail(self, stem: str, entry: Entry) -> str:
        tail = self._tails.get(stem) or self._last(stem)
        size = 0 if tail is None else tail.size
        # No character of a name takes more than four bytes.
        full = size and size + entry.size + _OVERHEAD + 8 * len(entry.path) > self.rules.limit
        if tail is None or full or (self.rules.items is not None and tail.entries >= self.rules.items):
            tail = self.part(self.free(stem).name)
        self._tails[stem] = tail
        return tail.name

    def _ours(self, part: Part, stem: str) -> bool:
        """Tell whether new entries of a stem may go to a part; one of another kind stays until it is empty."""
        return (part.id.stem, part.id.ending) == (stem, self.rules.form.ending)

    def _last(self, stem: str) -> Part | None:
        """Return the archive that new entries may go to."""
        mine = (part for part in self.parts.values() if self._ours(part, stem))
        open_ones = [part for part in mine if self.rules.mode == "current" or part.published is None]
        return max(open_ones, key=lambda part: part.id, default=None)
