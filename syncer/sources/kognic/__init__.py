"""Kognic (https://www.kognic.com): one file a section — auth, listing, changes, documents — as in every source.

`app` takes `PLUGIN`; `annotell`, the platform's old name, builds on the sections. Never: sends anything but GET, the
token grant, and queries that only read.
"""

from syncer.sources.kognic.source import PLUGIN

__all__ = ["PLUGIN"]
