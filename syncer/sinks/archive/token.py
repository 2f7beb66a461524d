"""The resume token of a session: how far each archive's unpublished files are. Pure."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from syncer.model.errors import ContainerLost
from syncer.model.value import asdict
from syncer.sinks.archive.names import part_id
from syncer.sinks.zip64.writer import Position

#: What this version writes, here and in swap lists, and the only one that it reads.
FORMAT = 1
#: Epochs, each with the last piece of a journal that it wrote, in order.
Chain = tuple[tuple[int, int], ...]


class Mark(msgspec.Struct, frozen=True):
    """A sealed position of one archive's files; stands in the resume token."""

    data: int = 0
    directory: int = 0
    entries: int = 0
    sha256: str = ""
    check: int = 0
    ops: int = 0
    ops_check: int = 0

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Mark":
        """Read what `written` wrote.

        Raises:
            ValueError: it is not that.
        """
        names = set(cls.__struct_fields__)
        if set(values) != names or not all(isinstance(values[n], str if n == "sha256" else int) for n in names):
            message = "not a position of an archive"
            raise ValueError(message)
        return cls(**values)

    def written(self) -> dict[str, object]:
        """Return it as JSON values."""
        return asdict(self)

    @property
    def position(self) -> Position:
        """The part of it that the zip writer knows."""
        return Position(self.data, self.directory, self.entries, self.sha256, self.check)


def write_token(marks: Mapping[str, Mark]) -> bytes:
    """Return a resume token."""
    parts = {name: mark.written() for name, mark in marks.items()}
    return json.dumps({"format": FORMAT, "parts": parts}, separators=(",", ":"), ensure_ascii=False).encode()


def with_chains(token: bytes, chains: Mapping[str, Chain]) -> bytes:
    """Return a resume token that also says whose corners the journals of its archives lie in."""
    values = json.loads(token)
    known = {name: list(map(list, chain)) for name, chain in chains.items() if name in values["parts"] and chain}
    return token if not known else json.dumps({**values, "chains": known}, separators=(",", ":")).encode()


def read_chains(token: bytes | None) -> dict[str, Chain]:
    """Return what `with_chains` said, by archive.

    Raises:
        ContainerLost: it can't be read.
    """
    try:
        values = json.loads(token) if token else {}
        found = {name: tuple((int(e), int(n)) for e, n in chain) for name, chain in values.get("chains", {}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        message = "the place of the unpublished archives can't be read"
        raise ContainerLost(message) from error
    return found


def read_token(token: bytes | None) -> dict[str, Mark]:
    """Return the marks of a resume token, by archive.

    Raises:
        ContainerLost: it can't be read.
    """
    if not token:
        return {}
    try:
        values = json.loads(token)
        if values["format"] == FORMAT:
            return {part_id(name).name: Mark.read(mark) for name, mark in values["parts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = "the position of the unpublished archives can't be read"
        raise ContainerLost(message) from error
    message = "the position of the unpublished archives was written by another version"
    raise ContainerLost(message)
