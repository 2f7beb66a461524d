"""`syncer` on the linking platform, as its users start it: the source joins by an entry point, as any plug-in does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.emulators.link_process import RemoteLink

ROOT = Path(__file__).resolve().parents[2]

#: What an installed distribution leaves behind: enough for entry points to be found.
_METADATA = "Metadata-Version: 2.1\nName: annotation-syncer-link\nVersion: 1\n"
_ENTRY_POINTS = "[syncer.sources]\nlink = tests.emulators.link_source:PLUGIN\n"


def plugged(folder: Path) -> dict[str, str]:
    """Make the plug-in's distribution below a folder; return the environment in which it counts as installed."""
    made = folder / "plug-ins" / "annotation_syncer_link-1.dist-info"
    made.mkdir(parents=True, exist_ok=True)
    (made / "METADATA").write_text(_METADATA)
    (made / "entry_points.txt").write_text(_ENTRY_POINTS)
    return {"PYTHONPATH": f"{ROOT}:{made.parent}"}


def prepare(
    folder: Path, platform: RemoteLink, *, limits: Mapping[str, Any] | None = None,
    commit: Mapping[str, Any] | None = None, sinks: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Make a folder with a configuration; return the environment for `syncer sync`.

    There is a job for each sink, named like it: `zip` and `folder`, unless told otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = {"type": "link", "url": platform.url, "token": platform.token, "content_hosts": [platform.content_url]}
    legs: Mapping[str, Mapping[str, Any]] = sinks or {
        "zip": {"type": "zip", "url": "file:archive", "name": "items.zip"},
        "folder": {"type": "prefix", "url": "file:folder"},
    }
    job = {"platform": "link", "select": {"projects": ["link"]}, "commit": dict(commit or {})}
    tree = {
        "state": "sqlite:state.db",
        "platforms": {"link": {**link, "limits": dict(limits or {})}},
        "sinks": {name: dict(options) for name, options in legs.items()},
        "jobs": {name: {**job, "sinks": [name]} for name in legs},
    }
    (folder / "syncer.yaml").write_text(yaml.safe_dump(tree))
    return plugged(folder)
