"""A destination in memory, shipped so that a plug-in can be tested without a disk. One object an item, as `prefix`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from syncer.ports import SinkPlugin, Tools
from syncer.sinks.options import SinkOptions
from syncer.sinks.prefix.sink import PrefixSink


class MemoryOptions(SinkOptions):
    """Options of a destination in memory."""

    type: Literal["memory"] = Field(
        default="memory", description="Objects in memory, for tests; they end with the process."
    )
    url: str = Field(default="memory:", description="`memory:NAME`; one name is one store in a process.")


class MemorySink(PrefixSink):
    """`PrefixSink` on a store in memory: the same promises, and nothing left behind."""


def _create(options: MemoryOptions, base: Path, tools: Tools) -> MemorySink:
    return MemorySink(options, options.open(base), tools)


PLUGIN = SinkPlugin("memory", "objects in memory, for tests of plug-ins", MemoryOptions, _create)
