"""The kinds of sink `jsonl` and `parquet`: their options, and what they mean for files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from syncer.model.containers import HISTORY, LINES, PARQUET
from syncer.ports import SinkPlugin, Tools
from syncer.sinks.archive.form import Form
from syncer.sinks.archive.sink import ArchiveSink, Plan
from syncer.sinks.archive.sizes import Size
from syncer.sinks.options import SinkOptions
from syncer.sinks.tables.kinds import GROUP, form_of


class TableOptions(SinkOptions):
    """Options of both."""

    name: str = Field(
        default="{project}",
        min_length=1,
        description=(
            "Template of a file's name, without its ending. Partitions whose names come out alike share a file; it may"
            " use project, batch, annotation_type and what the platform says of them (`{project_title}`)."
        ),
    )
    mode: Literal["current", "append", "delta"] = Field(
        default="current",
        description=(
            "`current`: the files hold exactly the rows that are current; one with changes is replaced as a whole."
            " `append`: published files stay as they are, changes go to new ones. `delta`: the changes of each run in"
            " files of their own, which keep what was superseded. Files of the latter two may hold rows that are not"
            " current, and end with `.history`, so that no query for current files reads them."
        ),
    )
    shard_items: int | None = Field(
        default=None, ge=1, description="Rows at which the next file begins. Default: only their size counts."
    )
    shard_size: Size | None = Field(
        default=None,
        description=(
            "Size at which the next file begins, as far as it can be told while it grows."
            " Default: `2GiB` in a folder, `256MiB` in a bucket."
        ),
    )
    compact_above: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="`append` only: share of superseded rows from which a run compacts files by itself. `1`: never.",
    )
    upload: Literal["spool", "volumes"] = Field(
        default="spool",
        description=(
            "Buckets only: where rows wait until they are published. `spool`: in the local spool, which has to outlive"
            " the process. `volumes`: in a bounded corner of the spool, which may be memory; what is new goes to the"
            " bucket all the time."
        ),
    )


class JsonlOptions(TableOptions):
    """Options of `type: jsonl`."""

    type: Literal["jsonl"] = Field(default="jsonl", description="Tables in lines of JSON, one line an item.")
    compression: Literal["none", "gz", "zst"] = Field(
        default="none",
        description="`none`: `.jsonl`. `gz`: `.jsonl.gz`. `zst`: `.jsonl.zst` (needs `annotation-syncer[zstd]`).",
    )


class ParquetOptions(TableOptions):
    """Options of `type: parquet`."""

    type: Literal["parquet"] = Field(
        default="parquet", description="Tables in Parquet, one row an item (needs `annotation-syncer[parquet]`)."
    )
    row_group_size: Size = Field(
        default=GROUP, description="Bytes of documents in one row group: what a reader holds at once."
    )


def _ending(options: TableOptions, plain: str) -> str:
    """Return the ending of files: where rows may be superseded, one that no pattern for current files matches."""
    return plain if options.mode == "current" else f"{plain}{HISTORY}"


def _jsonl(options: JsonlOptions, base: Path, tools: Tools) -> ArchiveSink:
    form = form_of(_ending(options, LINES[options.compression]))
    return _sink(options, form, base, tools, {"compression": options.compression})


def _parquet(options: ParquetOptions, base: Path, tools: Tools) -> ArchiveSink:
    return _sink(options, form_of(_ending(options, PARQUET), options.row_group_size), base, tools, {})


def _sink(options: TableOptions, form: Form, base: Path, tools: Tools, layout: Mapping[str, str]) -> ArchiveSink:
    plan = Plan(
        form, options.name, options.mode, options.upload, options.shard_size, options.shard_items,
        options.compact_above, layout,
    )  # fmt: skip
    return ArchiveSink(options, plan, options.open(base), tools)


JSONL = SinkPlugin("jsonl", "tables in lines of JSON, in a folder or a bucket", JsonlOptions, _jsonl)
PARQUET_FILES = SinkPlugin("parquet", "tables in Parquet, in a folder or a bucket", ParquetOptions, _parquet)
