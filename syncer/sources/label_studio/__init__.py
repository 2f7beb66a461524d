"""Label Studio (https://labelstud.io): one file a section — auth, listing, changes, documents — as in every source.

`app` takes `PLUGIN`; nobody else calls in. Never: sends anything but GET and the renewal of its own token.
"""

from syncer.sources.label_studio.source import PLUGIN

__all__ = ["PLUGIN"]
