"""The small JSON documents of a manifest: HEAD, owner, checkpoint. Checked when read: they may come from anywhere."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec

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
    """A segment whose rows stand in a wider one; it goes when no reader can still need it."""

    name: str
    #: ISO 8601, UTC.
    since: str


class HeadDocument(msgspec.Struct, frozen=True):
    """`HEAD.json`."""

    job: str
    generation: _Count
    format: int = FORMAT
    segments: tuple[SegmentEntry, ...] = ()
    containers: Mapping[str, ContainerEntry] = {}
    superseded: tuple[Superseded, ...] = ()

    def head(self) -> Head:
        """Return what readers start from."""
        containers = {
            name: Container(name, entry.tag, entry.size, entry.sha256, entry.live, entry.dead)
            for name, entry in self.containers.items()
        }
        return Head(self.generation, tuple(entry.ref() for entry in self.segments), containers)


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


D = TypeVar("D", HeadDocument, OwnerDocument, CheckpointDocument)


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
    if isinstance(document, HeadDocument):
        _guard(document, where)
    return document


def encode(document: HeadDocument | OwnerDocument | CheckpointDocument | Mapping[str, object]) -> bytes:
    """Return the one spelling of a document: indented, so that people can read it, with a last newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _guard(head: HeadDocument, where: str) -> None:
    bad = [entry.name for entry in head.segments if not is_segment(entry.name)]
    bad += [entry.name for entry in head.superseded if not is_segment(entry.name)]
    bad += [name for name in head.containers if not is_item_path(name)]
    if bad:
        message = f"{where} names {bad[0][:200]!r}, which lies outside the destination"
        raise DestinationChanged(message, hint="somebody changed it: restore it from a copy")


def is_segment(name: str) -> bool:
    """Tell whether a name can be a segment below HEAD's folder."""
    return is_safe(name) and name.endswith(".jsonl") and not any(part.startswith(".") for part in name.split("/"))
