"""Reading published archives: one entry at a time by the manifest, or all of them, for `verify`."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from itertools import islice

from anyio import create_task_group, to_thread

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged
from syncer.model.rows import ManifestRow, is_item_path
from syncer.ports import Found
from syncer.sinks.archive.form import Form, Index
from syncer.sinks.archive.store import REPAIR, Store, changed
from syncer.sinks.zip64.deflate import DamagedError
from syncer.sinks.zip64.readable import Readable, length_of, tag_of
from syncer.sinks.zip64.scan import Scanned

#: Indexes of directories kept in memory, 16 bytes an entry.
_KEPT = 4
#: Entries looked at in one thread hop.
_BATCH = 64
#: Batches without reading documents are cheap: more at once.
_NAMES = 4096
#: Archives read at once.
_AT_ONCE = 4


class ArchiveReader:
    """Reads the archives of one store; never writes."""

    def __init__(self, store: Store, form: Form) -> None:
        """Take the store, and what kind of files lie there; nothing is touched before the first call."""
        self._store, self._form = store, form
        self._indexes: OrderedDict[tuple[str, str, int], Index] = OrderedDict()

    async def read(self, row: ManifestRow, limit: int) -> bytes | None:
        """Return the document of a row, None if its archive or its entry is missing.

        Raises:
            TooLarge: it is larger than `limit` bytes.
            DestinationChanged: the archive can't be read there, or the row names something outside the destination.
        """
        if row.container is None:
            return None
        if not is_item_path(row.container):
            message = f"the manifest names {row.container[:200]!r}, which lies outside the destination"
            raise DestinationChanged(message, hint=REPAIR)
        return await to_thread.run_sync(self._read, row.container, row.path, limit)

    async def scan(self, containers: Mapping[str, Container], *, deep: bool) -> AsyncGenerator[Found]:
        """Yield every entry of every archive, and what is wrong; several archives are read at once, each one once.

        An archive that is missing or can't be read as a whole has an empty path; other trouble with it, its own name.
        """
        waiting = [self._entries(container, deep=deep) for _, container in sorted(containers.items())]
        size = _BATCH if deep else _NAMES
        open_ones: list[Generator[Found, None, None]] = []
        try:
            while waiting or open_ones:
                open_ones += [waiting.pop(0) for _ in range(min(len(waiting), _AT_ONCE - len(open_ones)))]
                for seen, batch in zip(list(open_ones), await _take(open_ones, size), strict=True):
                    for found in batch:
                        yield found
                    if len(batch) < size:
                        open_ones.remove(seen)
        finally:
            for seen in (*open_ones, *waiting):
                seen.close()

    def _entries(self, container: Container, *, deep: bool) -> Generator[Found, None, None]:
        """Yield what is found in one archive. Blocking."""
        name = container.name
        if not is_item_path(name):
            yield Found("", name, 0, damage="its name leads out of the destination")
            return
        try:
            with self._store.open(name) as file:
                readable = True
                for one in self._form.scan(file, container, deep=deep):
                    readable = readable and not one.unreadable
                    yield _found(name, one)
                if readable and not deep and length_of(file) != container.size:
                    damage = f"it has {length_of(file):,} bytes instead of {container.size:,}"
                    yield Found(name, name, length_of(file), damage=damage)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            yield Found("", name, 0, damage="the archive is missing")

    def _read(self, container: str, path: str, limit: int) -> bytes | None:
        try:
            with self._store.open(container, lookup=True) as file:
                return self._index(container, file).read(file, path, limit)
        except FileNotFoundError:
            return None
        except DamagedError as error:
            raise changed(self._store.where(container), f"{path}: {error}") from error

    def _index(self, container: str, file: Readable) -> Index:
        """Return the index of an archive; it is made again when the archive was replaced."""
        key = (container, tag_of(file), length_of(file))
        index = self._indexes.pop(key, None) or self._form.index(file, container)
        self._indexes[key] = index
        while len(self._indexes) > _KEPT:
            self._indexes.popitem(last=False)
        return index


async def _take(seen: Sequence[Iterator[Found]], count: int) -> list[list[Found]]:
    """Take so many from each, in threads side by side."""
    taken: list[list[Found]] = [[] for _ in seen]
    failures: list[Exception] = []

    async def take(number: int) -> None:
        try:
            taken[number] = await to_thread.run_sync(lambda: list(islice(seen[number], count)))
        except Exception as error:  # noqa: BLE001  # raised below, alone: a task group would wrap it
            failures.append(error)

    async with create_task_group() as side_by_side:
        for number in range(len(seen)):
            side_by_side.start_soon(take, number)
    if failures:
        raise failures[0]
    return taken


def _found(container: str, one: Scanned) -> Found:
    path = one.name if one.name is not None else ("" if one.unreadable else container)
    return Found(path, container, one.size, one.sha256, one.damage)
