"""One object an item, in a folder or a bucket: sealed and published coincide.

`app` takes `PLUGIN`; everything else is the sink's own. Never: replaces or removes what another tool put into a bucket.
"""

from syncer.sinks.prefix.options import PLUGIN

__all__ = ["PLUGIN"]
