"""The one open set of archives of a unit: written, sealed, staged, settled. Blocking; for the session's thread."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing

from syncer.model.entries import Container, Entry, Receipt, StoredRow
from syncer.model.errors import SettingsError
from syncer.model.refs import ItemKey
from syncer.model.rows import is_item_path
from syncer.sinks.archive.fresh import Fresh, OpKind, remove_strays
from syncer.sinks.archive.names import part_id
from syncer.sinks.archive.packing import packed
from syncer.sinks.archive.places import Part, Places
from syncer.sinks.archive.store import changed
from syncer.sinks.archive.swap import Swap, stage
from syncer.sinks.archive.token import read_token, write_token
from syncer.sinks.zip64.deflate import DamagedError


class Parts:
    """All archives of one unit. OSError where the disk does; after that, open anew."""

    def __init__(self, places: Places) -> None:
        """Take the archives as they are published; nothing is touched yet."""
        self.places, self.root, self.store, self.rules = places, places.root, places.store, places.rules
        #: Brings new entries that were moved elsewhere back into their file.
        self.gather: Callable[[Fresh], None] = _nothing

    # ------------------------------------------------------------------------------------ opening, closing

    def resume(self, token: bytes | None, stems: Iterable[str]) -> None:
        """Go on from a token; files that it doesn't cover are removed.

        Raises:
            ContainerLost: something that the token names is missing, shorter or different.
            SettingsError: a stem of the unit is taken by an archive that this job did not write.
        """
        marks = read_token(token)
        begun = {part_id(name).stem for name in marks}
        # Not those of every archive that is known: another unit may be at work on its own just now.
        for stem in {*stems, *begun}:
            remove_strays(self.root, stem, marks, self.rules.form.ending)
            if stem not in begun and not any(part.id.stem == stem for part in self.places.parts.values()):
                self.places.free(stem)
        for name, mark in marks.items():
            self.places.part(name).fresh = Fresh.resume(self.root, name, mark)

    def restage(self, token: bytes | None, name: str) -> Swap | None:
        """Stage one archive of a token again, for a staged file that a crash took away."""
        mark = read_token(token).get(name)
        part = self.places.part(name)
        if mark is None:
            return None
        if part.fresh is None:
            part.fresh = Fresh.resume(self.root, name, mark)
        return self._stage(part, part.fresh)

    def close(self) -> None:
        """Give all files back, as they are."""
        for part in self.places.parts.values():
            if part.fresh is not None:
                part.fresh.close()

    # ----------------------------------------------------------------------------------------------- writing

    def put(self, entries: Sequence[Entry], stem_of: Callable[[ItemKey], str]) -> list[Receipt]:
        """Append entries, each to its archive.

        Raises:
            SettingsError: a path is no item's; nothing was accepted.
        """
        for entry in entries:
            if not is_item_path(entry.path):
                message = f"{entry.path[:200]!r} is no name for an item: it would leave the folder that unpacks it"
                raise SettingsError(message, hint="choose another path template")
        receipts: list[Receipt] = []
        touched: dict[str, Fresh] = {}
        form, root = self.rules.form, self.root
        with closing(packed(lambda entry: form.pack(entry, root), entries)) as bodies:
            for entry, body in zip(entries, bodies, strict=True):
                name = self.places.place(entry, stem_of(entry.key))
                fresh = touched.get(name)
                if fresh is None:
                    fresh = touched[name] = self.places.fresh_of(name)
                fresh.add(entry.path, body)
                receipts.append(Receipt(entry.key, entry.version, entry.path, name, entry.size, entry.sha256))
        for fresh in touched.values():
            fresh.flush()
        return receipts

    def drop(self, rows: Iterable[StoredRow]) -> None:
        """Take entries out, or count them as dead where their archive stays as it is."""
        for row in rows:
            self.places.vacate(row)

    def erase(self, rows: Iterable[StoredRow], former: Iterable[StoredRow]) -> None:
        """Take published entries out, also of archives that otherwise stay as they are; absent ones are fine."""
        kinds: dict[str, dict[bytes, OpKind]] = {}
        for kind, each in _ends(rows, former):
            for row in each:
                kinds.setdefault(row.container or "", {})[row.path.encode()] = kind
        for name, wanted in kinds.items():
            part = self.places.parts.get(name)
            if part is None or part.published is None:
                continue
            try:
                with self.store.open(name) as file:
                    found = self.rules.form.listing(file, name).records()
                    there = {record.name for record in found if record.name in wanted}
            except DamagedError as error:
                raise changed(self.store.where(name), str(error)) from error
            for path in sorted(there):
                self.places.fresh_of(name).note(wanted[path], path.decode())

    @property
    def growing(self) -> list[tuple[Part, Fresh]]:
        """Return the archives with unpublished changes."""
        return [(part, part.fresh) for part in self.places.parts.values() if part.fresh is not None]

    @property
    def pending(self) -> bool:
        """Whether something was accepted since the last seal."""
        return any(part.fresh is not None and part.fresh.pending for part in self.places.parts.values())

    def seal(self) -> bytes:
        """Make everything durable; return the token."""
        for part in self.places.parts.values():
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
            self.places.part(swap.name).published = container

    def archives(self) -> list[Container]:
        """Return the published archives."""
        return [part.published for part in self.places.parts.values() if part.published is not None]

    @property
    def worn(self) -> bool:
        """Whether a large share of what is published is dead; archives of `delta` stay apart as they are."""
        ours = self.archives()
        dead, total = sum(one.dead for one in ours), sum(one.dead + one.live for one in ours)
        return self.rules.mode == "append" and dead > total * self.rules.worn

    def sealed(self) -> list[str]:
        """Return the names of the archives with sealed, unpublished changes."""
        return [part.name for part in self._sealed()]

    def settle(self, names: Iterable[str]) -> None:
        """Forget the changes of archives that were published; changes since the last seal stay."""
        for part in [self.places.part(name) for name in names]:
            fresh = part.fresh or Fresh(self.root, part.name)
            fresh.settle()
            part.fresh = fresh if fresh.pending else None
            if part.fresh is None and part.published is None:
                self.places.parts.pop(part.name, None)
        self.places.closed()

    def _sealed(self) -> Iterator[Part]:
        for _, part in sorted(self.places.parts.items()):
            if part.fresh is not None and (part.fresh.sealed.entries or part.fresh.sealed.ops):
                yield part

    def _stage(self, part: Part, fresh: Fresh) -> Swap | None:
        return stage(
            self.store,
            self.rules.form,
            part.name,
            part.published,
            fresh,
            self.gather,
            # Readers of `current` and `append` rely on the first part; an archive of one run's changes may go.
            keep_empty=part.id.number == 1 and self.rules.mode != "delta",
            durable=self.rules.durable,
        )


def _ends(rows: Iterable[StoredRow], former: Iterable[StoredRow]) -> list[tuple[OpKind, Iterable[StoredRow]]]:
    """Return what becomes of entries that are erased: a name that is both is a current one."""
    return [("purge", former), ("erase", rows)]


def _nothing(fresh: Fresh) -> None:
    """Leave everything as it is: all new entries are in their files."""
