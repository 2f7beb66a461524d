"""Datature Vi (https://vi.datature.com): one file a section — auth, listing, changes, documents — as in every source.

`app` takes `PLUGIN`; nobody else calls in. Never: sends anything but GET, and POST to start an export.
"""

from syncer.sources.datature.source import PLUGIN

__all__ = ["PLUGIN"]
