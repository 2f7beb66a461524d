"""What kind of file the archives of a sink are: zip archives, or tables. Everything else about them is alike.

Whatever they become, new entries grow as `.partial` files beside them (see `fresh`), which can be cut off at any
mark. A form says what an entry is in there, and builds the file that is published.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from syncer.model.entries import Container, Entry
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.zip64.deflate import Packed
from syncer.sinks.zip64.merge import Listing
from syncer.sinks.zip64.read import Directory
from syncer.sinks.zip64.readable import Readable
from syncer.sinks.zip64.scan import Scanned
from syncer.sinks.zip64.writer import Closed


class Index(Protocol):
    """Where the entries of a published file are, by name; bounded memory, whatever the names are."""

    def read(self, file: Readable, path: str, limit: int) -> bytes | None:
        """Return the document of an entry, None if there is none of this name.

        Raises:
            TooLarge: it is larger than `limit` bytes.
            DamagedError: it can't be read.
        """

    def copy(self, file: Readable, path: str, fresh: Fresh) -> bool:
        """Append an entry to the new ones of another archive; False if there is none of this name.

        Raises:
            DamagedError: it can't be read.
        """


class Form(Protocol):
    """One kind of file. Blocking; OSError where the disk does."""

    #: Ending of the names of new files.
    ending: str
    #: Endings of files that it can rewrite and read: after a change of options there are older ones.
    known: frozenset[str]
    #: The grown file, closed, is the archive: where nothing has to be merged, nothing is copied.
    grows: bool

    def pack(self, entry: Entry, scratch: Path) -> Packed:
        """Return an entry as it stands among the new ones; `scratch` may hold a large one meanwhile.

        Raises:
            StoreFailed: a file of this kind can't hold it.
        """

    def listing(self, file: Readable, name: str) -> Listing:
        """Return what a published file holds.

        Raises:
            DamagedError: it can't be read.
        """

    def merge(
        self,
        target: Path,
        name: str,
        published: tuple[Listing, Readable] | None,
        fresh: tuple[Directory, Readable] | None,
        alive: bytearray,
    ) -> Closed:
        """Write what is alive of a published file and of new entries, in order; the same gives the same bytes.

        `alive` has a byte for each entry of both. If it fails, nothing is left of it.

        Raises:
            DamagedError: something can't be read.
        """

    def index(self, file: Readable, name: str) -> Index:
        """Return the index of a published file.

        Raises:
            DamagedError: it can't be read.
        """

    def scan(self, file: Readable, container: Container, *, deep: bool) -> Generator[Scanned, None, None]:
        """Yield every entry of a published file, and what is wrong with it; with `deep`, every byte is looked at."""
