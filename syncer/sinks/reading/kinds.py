"""Which reader opens a container: by the last part of its name. A new kind of sink adds a line here."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final, cast

from syncer.model.containers import ENDINGS
from syncer.model.errors import SettingsError
from syncer.ports import DocumentReader

#: Where items are objects of their own.
_OBJECTS: Final = "syncer.sinks.prefix.documents"
#: Modules with a `READER`, by the ends of names; the first one that fits counts.
KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(ENDINGS, "syncer.sinks.tables.documents"),
    ".zip": "syncer.sinks.archive.documents",
}


def reader_of(container: str | None) -> DocumentReader:
    """Return what opens a container; None: the root, where items are objects of their own.

    Raises:
        SettingsError: this version knows no such container.
    """
    module = _OBJECTS if container is None else next((KINDS[end] for end in KINDS if container.endswith(end)), None)
    if module is None:
        message = f"{str(container)[:200]!r} is a kind of container that this version can't read"
        raise SettingsError(message, hint="use the newer syncer that wrote it")
    return cast("DocumentReader", import_module(module).READER)
