"""The kind of sink `prefix`: its options. The sink itself is loaded by those who write to one, or read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from syncer.ports import SinkPlugin, Tools
from syncer.sinks.options import SinkOptions

if TYPE_CHECKING:
    from syncer.sinks.prefix.sink import PrefixSink


class PrefixOptions(SinkOptions):
    """Options of a destination with one object an item."""

    type: Literal["prefix"] = Field(default="prefix", description="One object an item.")
    versions: Literal["latest", "keep"] = Field(
        default="latest",
        description=(
            "`latest`: an item has one object, which is replaced. `keep`: each version has an object of its own,"
            " `{item}@{version}.json`, written once and never replaced; `syncer retention` removes old ones."
        ),
    )


def _create(options: PrefixOptions, base: Path, tools: Tools) -> "PrefixSink":
    from syncer.sinks.prefix.sink import PrefixSink  # noqa: PLC0415  # jobs need fewer sinks than a configuration has

    return PrefixSink(options, options.open(base), tools)


PLUGIN = SinkPlugin("prefix", "one object an item in a folder or a bucket", PrefixOptions, _create)
