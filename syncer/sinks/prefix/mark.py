"""Who wrote an object in a bucket: a mark among its metadata, with the writer's unit and epoch. Pure.

A later epoch of the same unit means that a successor was here: whoever finds it was thought dead, and writes no more.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from syncer.model.entries import Entry
from syncer.model.errors import Fenced

#: Longest version that stands beside an object, and what of it is written as it is.
_LONGEST = 500
_PRINTABLE = " !#$&'()*+,-./:;=?@[]^_`{|}~"


class Mark(msgspec.Struct, frozen=True):
    """The writer of a unit: which unit of which state, and the epoch."""

    unit: str
    epoch: int

    def metadata(self, entry: Entry) -> dict[str, str]:
        """Return what an object says beside its bytes: printable ASCII, as headers take it, two kilobytes at most."""
        version = quote(entry.version, safe=_PRINTABLE)[:_LONGEST]
        return {"version": version, "sha256": entry.sha256, "unit": self._digest, "epoch": str(self.epoch)}

    def outdated(self, metadata: Mapping[str, str] | None) -> bool:
        """Tell whether a successor of this writer wrote an object."""
        said = metadata or {}
        epoch = said.get("epoch", "")
        return said.get("unit") == self._digest and epoch.isdecimal() and int(epoch) > self.epoch

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.unit.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def fenced(url: str, name: str, epoch: int) -> Fenced:
    """Return the error of a writer that found its successor's object."""
    message = f"{url}/{name[:200]} was written by a process that took over (our epoch is {epoch})"
    return Fenced(message, hint="nothing is lost: that process goes on with the work of this one")
