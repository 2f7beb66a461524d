"""Which archive an entry goes to, and the one open set of archives of a unit. Blocking; for the session's thread.

The place of an entry is decided when it is written, and final: a replaced one stays in its archive, a new one goes
to the tail of its stem while that has room, else to the next part. In `append` and `delta` mode archives that are
published stay as they are, so there a replaced entry goes to the tail too, and the old one counts as dead.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from syncer.model.entries import Container, Entry, Receipt, StoredRow
from syncer.model.errors import SettingsError
from syncer.model.refs import ItemKey
from syncer.sinks.archive_fresh import Fresh, remove_strays
from syncer.sinks.archive_names import PartId, part_id
from syncer.sinks.archive_swap import Swap, stage
from syncer.sinks.archive_token import read_token, write_token
from syncer.sinks.deflate import Packed, pack, pack_file
from syncer.sinks.zipfile64 import CENTRAL, LOCAL

Mode = Literal["current", "append", "delta"]

#: Paths remembered at least, with their archives, for entries that come again before the checkpoint knows them.
_RECENT = 32_768
#: What one entry adds to an archive beside its name (twice) and its payload; ZIP64 fields included.
_OVERHEAD = LOCAL.size + CENTRAL.size + 48


@dataclass(frozen=True, slots=True)
class Rules:
    """The options of a sink that decide where entries go."""

    mode: Mode = "current"
    #: Bytes that a part doesn't pass, unless one entry is larger.
    limit: int = 2 << 30
    #: Force to disk what is sealed and staged.
    durable: bool = True
    #: An item has one path at a time; else the entries at its older paths are kept.
    moves: bool = True


@dataclass(slots=True)
class Part:
    """One archive: what is published of it, and what is new."""

    name: str
    id: PartId
    published: Container | None = None
    fresh: Fresh | None = None

    @property
    def size(self) -> int:
        """Bytes that it will have at most, before superseded entries are squeezed out."""
        return (self.published.size if self.published else 0) + (self.fresh.size if self.fresh else 0)


class Parts:
    """All archives of one unit. OSError where the disk does; after that, open anew."""

    def __init__(self, root: Path, published: Sequence[Container], rules: Rules, epoch: int) -> None:
        """Take what is published; nothing is touched yet."""
        self.root, self.rules, self._epoch = root, rules, epoch
        self.parts: dict[str, Part] = {}
        self._tails: dict[str, Part] = {}
        self._recent: dict[tuple[str, str], str] = {}
        self._earlier: dict[tuple[str, str], str] = {}
        for container in published:
            self._part(container.name).published = container

    # ------------------------------------------------------------------------------------ opening, closing

    def resume(self, token: bytes | None, stems: Iterable[str]) -> None:
        """Go on from a token; files that it doesn't cover are removed.

        Raises:
            ContainerLost: something that the token names is missing, shorter or different.
            SettingsError: a stem of the unit is taken by an archive that this job did not write.
        """
        marks = read_token(token)
        used = {part.id.stem for part in self.parts.values()} | {part_id(name).stem for name in marks}
        for stem in {*stems, *used}:
            remove_strays(self.root, stem, marks)
            if stem not in used:
                self._refuse_foreign(self._next(stem))
        for name, mark in marks.items():
            self._part(name).fresh = Fresh.resume(self.root, name, mark)

    def restage(self, token: bytes | None, name: str) -> Swap | None:
        """Stage one archive of a token again, for a staged file that a crash took away."""
        mark = read_token(token).get(name)
        part = self._part(name)
        if mark is None:
            return None
        if part.fresh is None:
            part.fresh = Fresh.resume(self.root, name, mark)
        return self._stage(part, part.fresh)

    def close(self) -> None:
        """Give all files back, as they are."""
        for part in self.parts.values():
            if part.fresh is not None:
                part.fresh.close()

    # ----------------------------------------------------------------------------------------------- writing

    def put(self, entries: Sequence[Entry], stem_of: Callable[[ItemKey], str]) -> list[Receipt]:
        """Append entries, each to its archive."""
        receipts: list[Receipt] = []
        touched: dict[str, Fresh] = {}
        for entry in entries:
            stem = stem_of(entry.key)
            name = self._home(entry.path, entry.replaces, stem) or self._tail(stem, entry)
            fresh = touched.get(name)
            if fresh is None:
                fresh = touched[name] = self.fresh_of(name)
            fresh.add(entry.path, self._packed(entry))
            self._recent[stem, entry.path] = name
            receipts.append(Receipt(entry.key, entry.version, entry.path, name, entry.size, entry.sha256))
        for fresh in touched.values():
            fresh.flush()
        if len(self._recent) > _RECENT:
            self._recent, self._earlier = {}, self._recent
        return receipts

    def drop(self, rows: Iterable[StoredRow]) -> None:
        """Take entries out, or count them as dead where their archive stays as it is."""
        for row in rows:
            part = self.parts.get(row.container or "")
            if part is not None:
                name = self._forget(part.id.stem, row.path)
                self._leave(self.parts.get(name or "", part), row.path)

    @property
    def pending(self) -> bool:
        """Whether something was accepted since the last seal."""
        return any(part.fresh is not None and part.fresh.pending for part in self.parts.values())

    def seal(self) -> bytes:
        """Make everything durable; return the token."""
        for part in self.parts.values():
            if part.fresh is not None:
                part.fresh.seal(durable=self.rules.durable)
        return self.token()

    def token(self, without: Collection[str] = ()) -> bytes:
        """Return the token of the sealed position, but for some archives."""
        marks = {part.name: part.fresh.sealed for part in self._sealed() if part.fresh is not None}
        return write_token({name: mark for name, mark in marks.items() if name not in without})

    # ---------------------------------------------------------------------------------------------- publishing

    def stage(self) -> list[Swap] | None:
        """Build the next state of every archive with sealed changes; None if there is no such archive.

        Archives that receive entries come first, those that only lose some last: a reader never misses one.
        """
        waiting = [(part, part.fresh) for part in self._sealed()]
        staged = [self._stage(part, fresh) for part, fresh in waiting if fresh is not None]
        swaps = [swap for swap in staged if swap is not None]
        order = {part.name: (fresh is None or not fresh.sealed.entries, part.id) for part, fresh in waiting}
        return sorted(swaps, key=lambda swap: order[swap.name]) if waiting else None

    def published(self, swaps: Iterable[tuple[Swap, Container | None]]) -> None:
        """Take over what was published."""
        for swap, container in swaps:
            self._part(swap.name).published = container

    def archives(self) -> list[Container]:
        """Return the published archives."""
        return [part.published for part in self.parts.values() if part.published is not None]

    def sealed(self) -> list[str]:
        """Return the names of the archives with sealed, unpublished changes."""
        return [part.name for part in self._sealed()]

    def settle(self, names: Iterable[str]) -> None:
        """Forget the changes of archives that were published; changes since the last seal stay."""
        for part in [self._part(name) for name in names]:
            fresh = part.fresh or Fresh(self.root, part.name)
            fresh.settle()
            part.fresh = fresh if fresh.pending else None
            if part.fresh is None and part.published is None:
                self.parts.pop(part.name, None)
        self._tails.clear()

    # ------------------------------------------------------------------------------------------------- placing

    def _home(self, path: str, row: StoredRow | None, stem: str) -> str | None:
        """Return the archive that a known entry stays in, None if it moves; what it leaves behind is noted."""
        name, old = self._recent.get((stem, path)) or self._earlier.get((stem, path)), path
        if name is None and row is not None:
            name, old = row.container, row.path
        part = self.parts.get(name or "")
        if part is None:
            return None
        stays = part.id.stem == stem and (self.rules.mode == "current" or part.published is None)
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
        # No character of a name takes more than four bytes.
        if tail is None or (tail.size and tail.size + entry.size + _OVERHEAD + 8 * len(entry.path) > self.rules.limit):
            tail = self._part(self._refuse_foreign(self._next(stem)))
        self._tails[stem] = tail
        return tail.name

    def _last(self, stem: str) -> Part | None:
        """Return the archive that new entries may go to."""
        mine = (part for part in self.parts.values() if part.id.stem == stem)
        open_ones = [part for part in mine if self.rules.mode == "current" or part.published is None]
        return max(open_ones, key=lambda part: part.id, default=None)

    def _next(self, stem: str) -> PartId:
        generation = self._epoch if self.rules.mode == "delta" else 0
        ids = [part.id for part in self.parts.values()]
        used = [one.number for one in ids if (one.stem, one.generation) == (stem, generation)]
        return PartId(stem, generation, 1 + max(used, default=0))

    def _packed(self, entry: Entry) -> Packed:
        if isinstance(entry.body, bytes):
            return pack(entry.body, entry.media_type)
        self.root.mkdir(parents=True, exist_ok=True)
        return pack_file(entry.body.path, entry.body.size, self.root, entry.media_type)

    # ------------------------------------------------------------------------------------------------- the rest

    def _part(self, name: str) -> Part:
        part = self.parts.get(name)
        if part is None:
            part = self.parts[name] = Part(name, part_id(name))
        return part

    def fresh_of(self, name: str) -> Fresh:
        """Return the unpublished changes of an archive, begun if there are none."""
        part = self._part(name)
        if part.fresh is None:
            part.fresh = Fresh(self.root, name)
        return part.fresh

    def _sealed(self) -> Iterator[Part]:
        for _, part in sorted(self.parts.items()):
            if part.fresh is not None and (part.fresh.sealed.entries or part.fresh.sealed.ops):
                yield part

    def _stage(self, part: Part, fresh: Fresh) -> Swap | None:
        return stage(
            self.root, part.name, part.published, fresh, keep_empty=part.id.number == 1, durable=self.rules.durable
        )

    def _refuse_foreign(self, part: PartId) -> str:
        """Return the name of a new part, which must be free: what others wrote is never replaced."""
        path = self.root / part.name
        if path.exists():
            message = f"{path} exists already, and this job did not write it"
            raise SettingsError(message, hint="move it away, choose another name, or take it over with `syncer adopt`")
        return part.name
