"""Datature Nexus (https://nexus.datature.io), the older API: auth, listing, changes, documents, as in every source.

`app` takes `PLUGIN`; nobody else calls in. Never: sends anything but GET.
"""

from syncer.sources.nexus.source import PLUGIN

__all__ = ["PLUGIN"]
