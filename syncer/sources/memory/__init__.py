"""A platform in memory and the source that reads it: shipped, so that jobs, sinks and transforms can be tested offline.

Tests and plug-in authors use `MemoryPlatform` and `MemorySource`; `app` takes `PLUGIN`. Never: touches disk or network.
"""

from syncer.sources.memory.options import MemoryOptions
from syncer.sources.memory.platform import Item, MemoryPlatform, platform_named
from syncer.sources.memory.source import PLUGIN, MemorySource

__all__ = ["PLUGIN", "Item", "MemoryOptions", "MemoryPlatform", "MemorySource", "platform_named"]
