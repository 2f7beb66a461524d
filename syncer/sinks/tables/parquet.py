"""Tables in Parquet: files that are built, listed and read a row group at a time."""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from syncer.model.containers import HISTORY, PARQUET
from syncer.model.entries import Container, Entry
from syncer.model.errors import TooLarge
from syncer.model.running import beat
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.tables.columns import Groups, batch_of, batches, document_of, line_of, names, opened, reading
from syncer.sinks.tables.files import Output, chunks_of
from syncer.sinks.tables.grown import grown_lines
from syncer.sinks.tables.lines import RowName, bucket_of, packed_line
from syncer.sinks.tables.row import Row, read_line, row_of, write_line
from syncer.sinks.zip64.deflate import DamagedError, Packed
from syncer.sinks.zip64.merge import Listing
from syncer.sinks.zip64.read import Directory
from syncer.sinks.zip64.readable import Readable, length_of
from syncer.sinks.zip64.scan import Scanned
from syncer.sinks.zip64.writer import Closed

#: Rows that become columns in one go.
_BATCH = 256


class ParquetForm:
    """The door `Form`."""

    known = frozenset({PARQUET, f"{PARQUET}{HISTORY}"})
    grows = False

    def __init__(self, ending: str, group: int) -> None:
        """Take the ending of new files, and the bytes of documents in one row group."""
        self.ending, self._group = ending, group

    def pack(self, entry: Entry, scratch: Path) -> Packed:  # noqa: ARG002  # a row is held in memory
        """Return an entry as it grows: a line, until its row group is full."""
        return packed_line(write_line(*row_of(entry)), plain=False)

    def listing(self, file: Readable, name: str) -> "ParquetListing":  # noqa: ARG002  # it says itself what it is
        """Read the file's footer."""
        return ParquetListing(file)

    def merge(
        self,
        target: Path,
        name: str,  # noqa: ARG002  # all names are alike
        published: tuple[Listing, Readable] | None,
        fresh: tuple[Directory, Readable] | None,
        alive: bytearray,
    ) -> Closed:
        """Write the rows that are alive; row groups of published files are cut anew."""
        with Output(target) as out:
            try:
                groups = Groups(out, self._group)
                at = 0
                if published is not None:
                    at = published[0].entries
                    first = 0
                    for batch in batches(published[1]):
                        groups.add(batch, alive[first : first + batch.num_rows])
                        first += batch.num_rows
                        beat()
                if fresh is not None:
                    rows: list[tuple[Row, bytes]] = []
                    for line in grown_lines(*fresh, memoryview(alive)[at:]):
                        rows.append(read_line(line))
                        if len(rows) >= _BATCH or sum(row.size for row, _ in rows[-1:]) >= self._group:
                            groups.add(batch_of(rows))
                            rows = []
                            beat()
                    groups.add(batch_of(rows))
                groups.end()
                return out.finished()
            except BaseException:  # half a file is of no use, and its space may be what is missing
                target.unlink(missing_ok=True)
                raise

    def index(self, file: Readable, name: str) -> "ParquetIndex":
        """Read the names of all rows."""
        return ParquetIndex(file, name)

    def scan(self, file: Readable, container: Container, *, deep: bool) -> Generator[Scanned, None, None]:
        """Yield every row; with `deep`, with the digest of its document as it is there."""
        try:
            for batch in batches(file, None if deep else ["path", "size"]):
                for values in batch.to_pylist():
                    digest = hashlib.sha256(document_of(values)).hexdigest() if deep else None
                    yield Scanned(values["path"], values["size"], digest)
        except DamagedError as error:
            yield Scanned(None, length_of(file), damage=str(error), unreadable=True)
            return
        if not deep:
            return
        whole = hashlib.sha256()
        for chunk in chunks_of(file):
            whole.update(chunk)
        if (length_of(file), whole.hexdigest()) != (container.size, container.sha256):
            yield Scanned(None, length_of(file), whole.hexdigest(), "it is not the file that was published")


class ParquetListing:
    """The rows of a published file."""

    def __init__(self, file: Readable) -> None:
        """Read the footer."""
        self._file = file
        self.entries: int = opened(file).metadata.num_rows

    def records(self) -> Iterator[RowName]:
        """Yield the names of all rows."""
        return (RowName(name) for name in names(self._file))


class ParquetIndex:
    """In which place each row stands: 8 bytes a row. The row group that was read last is kept."""

    def __init__(self, file: Readable, name: str) -> None:
        """Read the names once; the file may be closed afterwards."""
        self._name = name
        places = array("Q", (bucket_of(path) << 32 | number for number, path in enumerate(names(file))))
        self._places = array("Q", sorted(places))
        self._group: tuple[int, Any] | None = None

    def read(self, file: Readable, path: str, limit: int) -> bytes | None:
        """Return the document of a row; see the door."""
        values = self._find(file, path)
        if values is None:
            return None
        if values["size"] > limit:
            message = f"{path} in {self._name} is larger than {limit:,} bytes"
            raise TooLarge(message)
        return document_of(values)

    def copy(self, file: Readable, path: str, fresh: Fresh) -> bool:
        """Append a row to the new ones of another file; see the door."""
        values = self._find(file, path)
        if values is not None:
            fresh.add(path, packed_line(line_of(values), plain=False))
        return values is not None

    def _find(self, file: Readable, path: str) -> dict[str, Any] | None:
        bucket = bucket_of(path.encode("utf-8", "surrogatepass"))
        at = bisect_left(self._places, bucket << 32)
        while at < len(self._places) and self._places[at] >> 32 == bucket:
            values = self._row(file, self._places[at] & 0xFFFF_FFFF)
            if values["path"] == path:
                return values
            at += 1
        return None

    def _row(self, file: Readable, number: int) -> dict[str, Any]:
        first = 0
        with reading():
            table = opened(file)
            for group in range(table.num_row_groups):
                count = table.metadata.row_group(group).num_rows
                if number < first + count:
                    if self._group is None or self._group[0] != group:
                        self._group = group, table.read_row_group(group, use_threads=False)
                    (values,) = self._group[1].slice(number - first, 1).to_pylist()
                    return dict(values)
                first += count
        message = "it has fewer rows than before"
        raise DamagedError(message)
