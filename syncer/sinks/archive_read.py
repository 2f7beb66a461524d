"""Reading published archives: one entry at a time by the manifest, or all of them, for `verify`."""

import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator, Mapping
from io import FileIO
from itertools import islice
from pathlib import Path

from anyio import to_thread

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, TooLarge
from syncer.model.rows import ManifestRow, is_item_path
from syncer.ports import Found
from syncer.sinks.archive_swap import REPAIR, changed
from syncer.sinks.deflate import DamagedError
from syncer.sinks.zipread import Directory, Index, read_entry
from syncer.sinks.zipscan import Scanned, scan_archive, scan_names

#: Indexes of directories kept in memory, 16 bytes an entry.
_KEPT = 4
#: Entries looked at in one thread hop.
_BATCH = 64
#: Batches without reading documents are cheap: more at once.
_NAMES = 4096


class ArchiveReader:
    """Reads below one folder; never writes."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; nothing is touched before the first call."""
        self._folder = folder
        self._indexes: OrderedDict[tuple[str, int, int], Index] = OrderedDict()

    async def read(self, row: ManifestRow, limit: int) -> bytes | None:
        """Return the document of a row, None if its archive or its entry is missing.

        Raises:
            TooLarge: it is larger than `limit` bytes.
            DestinationChanged: the archive can't be read there, or the row names something outside the folder.
        """
        if row.container is None:
            return None
        if not is_item_path(row.container):
            message = f"the manifest names {row.container[:200]!r}, which lies outside {self._folder}"
            raise DestinationChanged(message, hint=REPAIR)
        return await to_thread.run_sync(self._read, row.container, row.path, limit)

    async def scan(self, containers: Mapping[str, Container], *, deep: bool) -> AsyncGenerator[Found]:
        """Yield every entry of every archive, and what is wrong.

        An archive that is missing or can't be read as a whole has an empty path; other trouble with it, its own name.
        """
        for name, container in sorted(containers.items()):
            if not is_item_path(name):
                yield Found("", name, 0, damage="its name leads out of the destination")
                continue
            path = self._folder / name
            if not await to_thread.run_sync(path.is_file):
                yield Found("", name, 0, damage="the archive is missing")
                continue
            seen = scan_archive(path, container.size, container.sha256) if deep else scan_names(path)
            try:
                while batch := await to_thread.run_sync(_take, seen, _BATCH if deep else _NAMES):
                    for one in batch:
                        yield _found(name, one)
            finally:
                seen.close()

    def _read(self, container: str, path: str, limit: int) -> bytes | None:
        try:
            with FileIO(self._folder / container) as file:
                record = self._index(container, file).find(file, path.encode("utf-8", "surrogatepass"))
                if record is None:
                    return None
                if record.size > limit:
                    message = f"{path} in {container} is larger than {limit:,} bytes"
                    raise TooLarge(message)
                return read_entry(file, record)
        except FileNotFoundError:
            return None
        except DamagedError as error:
            raise changed(self._folder, container, f"{path}: {error}") from error

    def _index(self, container: str, file: FileIO) -> Index:
        """Return the index of an archive; it is made again when the file was replaced."""
        status = os.fstat(file.fileno())
        key = (container, status.st_mtime_ns, status.st_size)
        index = self._indexes.pop(key, None) or Index(Directory.find(file))
        self._indexes[key] = index
        while len(self._indexes) > _KEPT:
            self._indexes.popitem(last=False)
        return index


def _take(seen: Iterator[Scanned], count: int) -> list[Scanned]:
    return list(islice(seen, count))


def _found(container: str, one: Scanned) -> Found:
    path = one.name if one.name is not None else ("" if one.unreadable else container)
    return Found(path, container, one.size, one.sha256, one.damage)
