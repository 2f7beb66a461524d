"""Zip archives as a destination, in a folder or a bucket: one file a step, from the names to the swap.

`app` takes `PLUGIN`; everything else is the sink's own. Never: writes a byte of the zip format (`zip64` does), or
touches a published archive other than by replacing it as a whole.
"""

from syncer.sinks.archive.options import PLUGIN

__all__ = ["PLUGIN"]
