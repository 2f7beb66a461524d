"""What plug-ins offer at their entry points, and what they are given."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from syncer.model.events import Emit
from syncer.model.refs import AnnotationRef
from syncer.ports.clock import Clock
from syncer.ports.http import Http
from syncer.ports.sink import Sink
from syncer.ports.source import Source


class Transform(Protocol):
    """Turns one document into another before it is stored. Pure; runs in a thread."""

    @property
    def version(self) -> str:
        """Changes when the outcome for the same document may change."""

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return the bytes to store. Raise ValueError with a reason to owe the item instead."""


class Tools(msgspec.Struct, frozen=True):
    """What a plug-in is given to work with."""

    #: Name in the configuration, for messages.
    name: str
    clock: Clock
    emit: Emit
    #: Folder for what is too large for memory; None: one below the system's folder for temporary files.
    spool: Path | None = None


class SourcePlugin(msgspec.Struct, frozen=True):
    """A platform, as its entry point (`syncer.sources`) offers it."""

    type: str
    #: One line for `syncer platforms`.
    title: str
    #: Pydantic model class of the platform's options (a `net.options.PlatformOptions`).
    options: Any
    #: Make the source from its options, an open `Http`, and tools.
    create: Callable[[Any, Http, Tools], Source]
    #: References used where an option is absent (`{"token": ("env:X",)}`): what the vendor's own SDK reads.
    defaults: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    #: Parts of the public name of one document, for `syncer get` ("ANNOTATION_ID",).
    parts: tuple[str, ...] = ()
    #: Names that `redact` knows, with the fields and paths that each stands for: `people` is who did the work.
    redactions: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)


class SinkPlugin(msgspec.Struct, frozen=True):
    """A destination type, as its entry point (`syncer.sinks`) offers it."""

    type: str
    title: str
    #: Pydantic model of the sink's options (a `sinks.options.SinkOptions`).
    options: Any
    #: Make the sink from its options; relative folders count from the given one.
    create: Callable[[Any, Path, Tools], "Sink"]
