"""Zip archives: what grows is the archive, and merging is raw copies."""

from collections.abc import Generator
from pathlib import Path

from syncer.model.entries import Container, Entry
from syncer.model.errors import TooLarge
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.names import EXTENSION
from syncer.sinks.zip64.deflate import Packed, pack, pack_file
from syncer.sinks.zip64.merge import Listing, copy_alive
from syncer.sinks.zip64.read import Directory, Index, entry_span, read_entry
from syncer.sinks.zip64.readable import Readable
from syncer.sinks.zip64.scan import Scanned, scan_archive, scan_names
from syncer.sinks.zip64.writer import Appender, Closed


class ZipForm:
    """The door `Form`."""

    ending = EXTENSION
    known = frozenset({EXTENSION})
    grows = True

    def pack(self, entry: Entry, scratch: Path) -> Packed:
        """Deflate a document."""
        data = entry.body
        if isinstance(data, bytes):
            return pack(data, entry.media_type)
        scratch.mkdir(parents=True, exist_ok=True)
        return pack_file(data.path, data.size, scratch, entry.media_type)

    def listing(self, file: Readable, name: str) -> Directory:  # noqa: ARG002  # it says itself what it is
        """Return the directory."""
        return Directory.find(file)

    def merge(
        self,
        target: Path,
        name: str,  # noqa: ARG002  # all names are alike
        published: tuple[Listing, Readable] | None,
        fresh: tuple[Directory, Readable] | None,
        alive: bytearray,
    ) -> Closed:
        """Copy what is alive, in order, without recompression."""
        out = Appender.create(target)
        try:
            at = 0
            for directory, data in filter(None, (published, fresh)):
                if isinstance(directory, Directory):
                    copy_alive(directory, data, memoryview(alive)[at : at + directory.entries], out)
                at += directory.entries
            return out.finish()
        except BaseException:  # half a file is of no use, and its space may be what is missing
            target.unlink(missing_ok=True)
            raise
        finally:
            out.close()

    def index(self, file: Readable, name: str) -> "ZipIndex":
        """Read the directory once."""
        return ZipIndex(Directory.find(file), name)

    def scan(self, file: Readable, container: Container, *, deep: bool) -> Generator[Scanned, None, None]:
        """Yield what the directory names, or with `deep` what is really there."""
        return scan_archive(file, container.size, container.sha256) if deep else scan_names(file)


class ZipIndex(Index):
    """Where the entries of an archive are."""

    def __init__(self, directory: Directory, archive: str) -> None:
        """Read the directory once; `archive` names it in messages."""
        super().__init__(directory)
        self._archive = archive

    def read(self, file: Readable, path: str, limit: int) -> bytes | None:
        """Return the document of an entry; see the door."""
        record = self.find(file, path.encode("utf-8", "surrogatepass"))
        if record is None:
            return None
        if record.size > limit:
            message = f"{path} in {self._archive} is larger than {limit:,} bytes"
            raise TooLarge(message)
        return read_entry(file, record)

    def copy(self, file: Readable, path: str, fresh: Fresh) -> bool:
        """Copy an entry as it is; see the door."""
        record = self.find(file, path.encode())
        if record is None:
            return False
        _, stop = entry_span(file, record)
        fresh.copy(file, record, stop)
        return True
