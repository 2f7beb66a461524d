"""rclone for annotations: bulk export and sync of finished labels into archives and folders.

`async with syncer.open("syncer.yaml") as s: await s.sync("street")`. Names are loaded when they are first used:
`import syncer` alone brings in neither pydantic nor an HTTP library. Never does anything itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from syncer.app.blocking import BlockingLabels
    from syncer.app.labels import Labels
    from syncer.app.library import Syncer
    from syncer.app.library import open_syncer as open  # noqa: A004  # `syncer.open` reads as what it is
    from syncer.app.reading import Reading, read
    from syncer.flow.job import RunOptions
    from syncer.model.entries import Annotation
    from syncer.model.errors import GenerationGone, Overtaken, SyncerError
    from syncer.model.refs import ItemKey
    from syncer.model.report import Report
    from syncer.model.rows import ManifestRow

__version__ = "0.1.0"

__all__ = [
    "Annotation",
    "BlockingLabels",
    "GenerationGone",
    "ItemKey",
    "Labels",
    "ManifestRow",
    "Overtaken",
    "Reading",
    "Report",
    "RunOptions",
    "Syncer",
    "SyncerError",
    "__version__",
    "open",
    "read",
]

#: Where each name comes from.
_HOMES: Final = {
    "Annotation": ("syncer.model.entries", "Annotation"),
    "BlockingLabels": ("syncer.app.blocking", "BlockingLabels"),
    "GenerationGone": ("syncer.model.errors", "GenerationGone"),
    "ItemKey": ("syncer.model.refs", "ItemKey"),
    "Labels": ("syncer.app.labels", "Labels"),
    "ManifestRow": ("syncer.model.rows", "ManifestRow"),
    "Overtaken": ("syncer.model.errors", "Overtaken"),
    "Reading": ("syncer.app.reading", "Reading"),
    "Report": ("syncer.model.report", "Report"),
    "RunOptions": ("syncer.flow.job", "RunOptions"),
    "Syncer": ("syncer.app.library", "Syncer"),
    "SyncerError": ("syncer.model.errors", "SyncerError"),
    "open": ("syncer.app.library", "open_syncer"),
    "read": ("syncer.app.reading", "read"),
}

if not TYPE_CHECKING:  # a type checker would take it as leave for any name

    def __getattr__(name: str) -> object:
        """Return a public name, imported now.

        Raises:
            AttributeError: there is none of that name.
        """
        if name not in _HOMES:
            raise AttributeError(f"module 'syncer' has no attribute {name!r}")
        module, attribute = _HOMES[name]
        value = globals()[name] = getattr(import_module(module), attribute)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
