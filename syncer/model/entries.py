"""What is stored: bodies, entries on their way into a sink, and the proofs that come back."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

import msgspec

from syncer.model.refs import AnnotationRef, GroupKey, ItemKey

#: Name of one sink of a job. A run feeds several legs at once; each has rows and cursors of its own.
Leg = str


class SpooledFile(msgspec.Struct, frozen=True):
    """A body too large for memory, lying in the spool until its entry has settled."""

    path: Path
    #: Bytes.
    size: int
    #: Hex digest of the content.
    sha256: str


class Content:
    """The bytes of one document and their digest, which is computed once, in the thread that asks for it first."""

    __slots__ = ("_sha256", "data")

    def __init__(self, data: bytes | SpooledFile) -> None:
        """Take a document: in memory, or in a spool file past a budget."""
        self.data = data
        self._sha256 = None if isinstance(data, bytes) else data.sha256

    @property
    def sha256(self) -> str:
        """Hex digest of the document."""
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(cast("bytes", self.data)).hexdigest()
        return self._sha256


class Body(msgspec.Struct, frozen=True):
    """The document of one reference, as served."""

    ref: AnnotationRef
    data: bytes | SpooledFile
    media_type: str = "application/json"
    #: The version that these bytes really have, where the platform said a newer one than the listing.
    version: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the document."""
        return len(self.data) if isinstance(self.data, bytes) else self.data.size


class Annotation(msgspec.Struct, frozen=True):
    """One finished document with the identifiers that it is known by."""

    key: ItemKey
    version: str
    #: The document, byte for byte as the platform served it; as it was stored, where it is read back.
    content: bytes
    fields: Mapping[str, str]
    #: Name inside the destination; empty where it comes straight from the platform.
    path: str = ""

    def json(self) -> object:
        """Return the document parsed.

        Raises:
            ValueError: it is no JSON.
        """
        return json.loads(self.content)


class Entry(msgspec.Struct, frozen=True):
    """One document on its way into one sink."""

    key: ItemKey
    version: str
    #: Name inside the sink's root or archive: settled, safe, relative, with forward slashes.
    path: str
    #: The document; legs that store the same bytes share it.
    content: Content
    media_type: str = "application/json"
    updated_at: datetime | None = None
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)
    group: GroupKey | None = None
    #: What the leg holds of this key now: its container is where an archive has to supersede it.
    replaces: "StoredRow | None" = None
    #: Written over whatever lies there: it was owed (`repair` owes what is damaged), or all is fetched again.
    mends: bool = False

    @property
    def body(self) -> bytes | SpooledFile:
        """The document itself."""
        return self.content.data

    @property
    def sha256(self) -> str:
        """Hex digest of the document."""
        return self.content.sha256

    @property
    def size(self) -> int:
        """Bytes of the document."""
        data = self.content.data
        return len(data) if isinstance(data, bytes) else data.size


class StoredRow(msgspec.Struct, frozen=True):
    """What one leg holds of one item."""

    key: ItemKey
    version: str
    path: str
    #: Name of the archive that holds the entry, None where the entry is an object of its own.
    container: str | None
    #: Bytes of the document.
    size: int
    #: Hex digest of the document.
    sha256: str
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)
    group: GroupKey | None = None
    #: Short name of the options that shaped bytes and path (`LegSpec.fingerprint`).
    fingerprint: str = ""
    #: Set while the item is withdrawn upstream: its bytes are kept, and it is no longer finished.
    withdrawn: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """A sink's word that an entry is accepted; durable once it stands in a `Seal`."""

    key: ItemKey
    version: str
    path: str
    container: str | None
    size: int
    sha256: str
    #: An item has one place at a time: if it lay elsewhere before, its object there goes once the manifest says so.
    moves: bool = False


class Seal(msgspec.Struct, frozen=True):
    """Proof of durability: all that was accepted so far survives a power cut. Only a sink session makes one.

    `receipts` are those of the entries written since the last seal, in the order of writing.
    """

    receipts: tuple[Receipt, ...]
    #: The session's own token, from which it resumes after anything; None where it needs none.
    resume: bytes | None = None
    #: Much is sealed and not published: the sink asks for a publish now, not only at the end of the run.
    full: bool = False


class Container(msgspec.Struct, frozen=True):
    """A published archive (or any object that holds many entries), as HEAD names it."""

    name: str
    #: Cheap evidence that nobody else replaced it: an ETag, or size and time of a local file.
    tag: str
    #: Bytes.
    size: int
    #: Hex digest of the whole object.
    sha256: str
    #: Entries that are current, and entries that a later one superseded.
    live: int = 0
    dead: int = 0


class Published(msgspec.Struct, frozen=True):
    """What is readable under its final name after `SinkSession.publish`."""

    containers: tuple[Container, ...] = ()
    #: Names of containers that are no longer current.
    dropped: tuple[str, ...] = ()
    #: Token from which the next session of the unit goes on.
    resume: bytes | None = None
    #: So much of what the containers hold is superseded that `compact` is due.
    worn: bool = False


#: Rows of a page to be forgotten by a sink, with their present places.
Removals = Sequence[StoredRow]
