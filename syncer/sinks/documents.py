"""The small JSON documents of a manifest: HEAD and its history, owner, checkpoint. Checked whenever they are read."""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec.structs import replace

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, SettingsError
from syncer.model.paths import is_safe
from syncer.model.rows import is_item_path
from syncer.ports import Claim, Head, SegmentRef

#: What this version writes, and the newest that it reads.
FORMAT = 1

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Any(msgspec.Struct):
    format: int


class SegmentEntry(msgspec.Struct, frozen=True):
    """A segment, as HEAD lists it; the name is relative to HEAD's folder."""

    name: str
    rows: _Count
    sha256: str
    epoch: _Count
    seq: _Count

    def ref(self) -> SegmentRef:
        """Return the same as the engine's value."""
        return SegmentRef(self.name, self.rows, self.sha256, self.epoch, self.seq)

    @property
    def order(self) -> tuple[int, int]:
        """What decides which of two rows of a key is the later one."""
        return (self.epoch, self.seq)

    @property
    def unit(self) -> str:
        """Folder of the unit."""
        return self.name.rpartition("/")[0]


class ContainerEntry(msgspec.Struct, frozen=True):
    """A published archive, as HEAD lists it under its name."""

    tag: str
    size: _Count
    sha256: str
    live: _Count = 0
    dead: _Count = 0


class Superseded(msgspec.Struct, frozen=True):
    """A segment that no generation names any more but a snapshot; it goes when no reader can still need it."""

    name: str
    #: ISO 8601, UTC.
    since: str


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One move of HEAD, told backwards: what has to be undone to come from a generation to the one before it."""

    generation: _Count
    #: The generation before; not always one less.
    before: _Count
    #: When it was made. ISO 8601, UTC.
    at: str
    #: Names of segments that came.
    added: tuple[str, ...] = ()
    #: Segments that went: their rows stand in wider ones, or are told anew.
    removed: tuple[SegmentEntry, ...] = ()
    #: Archives as they were; null where there was none of that name.
    containers: Mapping[str, ContainerEntry | None] = {}


class LogEntry(msgspec.Struct, frozen=True):
    """A file of older steps, as HEAD lists it; the name is relative to HEAD's folder."""

    name: str
    #: The first and the last generation that a step in it leads back from.
    first: _Count
    last: _Count
    #: When the last of them was made.
    until: str
    sha256: str


class LogDocument(msgspec.Struct, frozen=True):
    """`generations/….json`: steps that HEAD has no room for."""

    job: str
    steps: tuple[Step, ...]
    format: int = FORMAT


class SnapshotEntry(msgspec.Struct, frozen=True):
    """A snapshot, as HEAD lists it under its name: only what HEAD lists is kept."""

    generation: _Count
    #: When it was made. ISO 8601, UTC.
    at: str
    #: Digest of its document.
    sha256: str


class SnapshotDocument(msgspec.Struct, frozen=True):
    """`snapshots/NAME-….json`: one generation as HEAD named it, whatever HEAD says by now. Written once."""

    job: str
    name: str
    generation: _Count
    at: str
    segments: tuple[SegmentEntry, ...] = ()
    containers: Mapping[str, ContainerEntry] = {}
    #: Random: of two processes that make the same snapshot at once, each has a file of its own to take back.
    id: str = ""
    format: int = FORMAT

    def head(self) -> Head:
        """Return what readers start from."""
        return _head(self.generation, self.segments, self.containers, lasting=True)


class HeadDocument(msgspec.Struct, frozen=True):
    """`HEAD.json`."""

    job: str
    generation: _Count
    format: int = FORMAT
    segments: tuple[SegmentEntry, ...] = ()
    containers: Mapping[str, ContainerEntry] = {}
    superseded: tuple[Superseded, ...] = ()
    #: What is published stays under its name until it is removed: an older generation reads as it did.
    lasting: bool = False
    #: How HEAD came about, oldest first: the last steps here, those before in files.
    steps: tuple[Step, ...] = ()
    logs: tuple[LogEntry, ...] = ()
    #: Files of this folder that nothing names any more; the next move deletes them.
    going: tuple[str, ...] = ()
    #: Generations that stay, by the names of their snapshots.
    snapshots: Mapping[str, SnapshotEntry] = {}
    #: Bytes that only older generations named were removed: from this one on, all are complete.
    floor: _Count = 0
    #: Archives that are about to be rewritten or removed: no snapshot may be made of them now.
    rewriting: tuple[str, ...] = ()

    def head(self) -> Head:
        """Return what readers start from."""
        return replace(_head(self.generation, self.segments, self.containers, lasting=self.lasting), floor=self.floor)


class OwnerDocument(msgspec.Struct, frozen=True):
    """`owner.json`: whose destination this is."""

    job: str
    state: str
    platform: str
    origin: str
    account: str
    #: Highest epoch that wrote here.
    epoch: _Count
    #: Directory prefixes and archive names, each with the epoch of the unit that writes there.
    claims: Mapping[str, _Count]
    format: int = FORMAT
    #: Units, each with the epoch of whoever writes it now.
    units: Mapping[str, _Count] = {}

    def claim(self) -> Claim:
        """Return the same as the engine's value."""
        return Claim(
            self.job, self.state, self.platform, self.origin, self.account, self.epoch, tuple(sorted(self.claims))
        )


class CheckpointDocument(msgspec.Struct, frozen=True):
    """`checkpoint.json`: what each unit's ledger published, enough to rebuild a lost state."""

    generation: _Count
    units: Mapping[str, dict[str, object]]
    format: int = FORMAT


#: Documents that name files.
_Naming = HeadDocument | LogDocument | SnapshotDocument
D = TypeVar("D", bound=msgspec.Struct)


def decode(data: bytes, kind: type[D], where: str) -> D:
    """Read a document.

    Raises:
        SettingsError: a newer version wrote it.
        DestinationChanged: it is not such a document, or names something outside the destination.
    """
    try:
        written = msgspec.json.decode(data, type=_Any).format
        if written > FORMAT:
            message = f"{where} has format {written}; this version reads up to {FORMAT}"
            raise SettingsError(message, hint="use the newer syncer that wrote it")
        document = msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        message = f"{where} can't be read: {error}"
        raise DestinationChanged(message, hint="restore it, or remove it and run `syncer repair`") from error
    if isinstance(document, _Naming):
        _guard(document, where)
    return document


def encode(document: msgspec.Struct | Mapping[str, object]) -> bytes:
    """Return the one spelling of a document: indented, so that people can read it, with a last newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _head(
    generation: int,
    segments: Iterable[SegmentEntry],
    containers: Mapping[str, ContainerEntry],
    *,
    lasting: bool,
) -> Head:
    found = {name: Container(name, one.tag, one.size, one.sha256, one.live, one.dead)
             for name, one in containers.items()}  # fmt: skip
    return Head(generation, tuple(entry.ref() for entry in segments), found, lasting)


def _guard(document: _Naming, where: str) -> None:
    segments: list[str] = []
    others: list[str] = []
    containers: list[str] = []
    if not isinstance(document, LogDocument):
        segments += [entry.name for entry in document.segments]
        containers += document.containers
    if isinstance(document, HeadDocument):
        segments += [entry.name for entry in document.superseded]
        others += [*document.going, *(log.name for log in document.logs)]
        others += [snapshot_name(name, entry.sha256) for name, entry in document.snapshots.items()]
        containers += document.rewriting
    for step in () if isinstance(document, SnapshotDocument) else document.steps:
        segments += [*step.added, *(entry.name for entry in step.removed)]
        containers += step.containers
    bad = [name for name in segments if not is_segment(name)]
    bad += [name for name in others if not is_beside(name)]
    bad += [name for name in containers if not is_item_path(name)]
    if bad:
        message = f"{where} names {bad[0][:200]!r}, which lies outside the destination"
        raise DestinationChanged(message, hint="somebody changed it: restore it from a copy")


def snapshot_name(name: str, sha256: str) -> str:
    """Return where the document of a snapshot lies, relative to HEAD's folder: no two documents have one name."""
    return f"snapshots/{name}-{sha256[:8]}.json"


def is_beside(name: str) -> bool:
    """Tell whether a name can be a file below HEAD's folder that HEAD names."""
    return is_safe(name) and "/" in name and not any(part.startswith(".") for part in name.split("/"))


def is_segment(name: str) -> bool:
    """Tell whether a name can be a segment below HEAD's folder."""
    return name.endswith(".jsonl") and is_safe(name) and not any(part.startswith(".") for part in name.split("/"))
