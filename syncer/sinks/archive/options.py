"""The kind of sink `zip`: its options, and what they mean for archives."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from syncer.ports import SinkPlugin, Tools
from syncer.sinks.archive.place import Upload
from syncer.sinks.archive.sink import ArchiveSink, Plan
from syncer.sinks.archive.sizes import Size
from syncer.sinks.archive.zipped import ZipForm
from syncer.sinks.options import SinkOptions


class ZipOptions(SinkOptions):
    """Options of `type: zip`."""

    type: Literal["zip"] = Field(default="zip", description="Archives, each with whole partitions in it.")
    name: str = Field(
        default="{project}.zip",
        min_length=1,
        description=(
            "Template of an archive's name. Partitions whose names come out alike share an archive; it may use project,"
            " batch, annotation_type and what the platform says of them (`{project_title}`)."
        ),
    )
    mode: Literal["current", "append", "delta"] = Field(
        default="current",
        description=(
            "`current`: the archives hold exactly what is current. `append`: published parts stay as they are, changes"
            " go to new parts. `delta`: the changes of each run in archives of their own."
        ),
    )
    max_part_size: Size | None = Field(
        default=None,
        description=(
            "Size at which the next part of an archive begins; one entry may be larger."
            " Default: `2GiB` in a folder, `256MiB` in a bucket."
        ),
    )
    compact_above: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description=(
            "`append` only: share of superseded entries from which a run compacts the archives by itself. `1`: never."
        ),
    )
    upload: Upload = Field(
        default="spool",
        description=(
            "Buckets only: how archives get there. `spool`: they grow in the local spool, which has to outlive the"
            " process, and are uploaded when they are published. `volumes`: for pods without a disk; they grow in a"
            " bounded corner of the spool, which may be memory, and what is new goes to the bucket all the time."
            " `multipart` (S3, needs `annotation-syncer[multipart]`): the same, straight into a multipart upload."
        ),
    )


def plan_of(options: ZipOptions) -> Plan:
    """Return what the options mean."""
    return Plan(
        ZipForm(), options.name, options.mode, options.upload, options.max_part_size, None, options.compact_above
    )


def _create(options: ZipOptions, base: Path, tools: Tools) -> ArchiveSink:
    """Make the sink; nothing is touched before its first use."""
    return ArchiveSink(options, plan_of(options), options.open(base), tools)


PLUGIN = SinkPlugin("zip", "zip archives in a folder or a bucket", ZipOptions, _create)
