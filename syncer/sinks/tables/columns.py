"""Rows as columns of Parquet: what identifies an item in columns, the document as text, row groups of bounded size.

A document that is JSON stands in `document`, exactly as it was served; anything else in `content`, as bytes. Files are
written and read with one row group in memory, in the calling thread alone: a bucket is read through the event loop.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from syncer.sinks.tables.files import Input, Output
from syncer.sinks.tables.row import Row, write_line
from syncer.sinks.zip64.deflate import DamagedError
from syncer.sinks.zip64.readable import Readable

SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("project", pa.string(), nullable=False),
        pa.field("batch", pa.string()),
        pa.field("annotation_type", pa.string()),
        pa.field("item", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("updated_at", pa.timestamp("us", tz="UTC")),
        pa.field("fields", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("document", pa.string()),
        pa.field("content", pa.binary()),
    ]
)
#: Columns in which values come again, and those by which readers choose.
_REPEATED = ["kind", "project", "batch", "annotation_type", "media_type"]
_CHOSEN = [*_REPEATED, "item", "version", "updated_at", "path", "size"]
#: Rows of a row group at most, and those looked at in one go.
_MOST, _BATCH = 100_000, 256
_ZSTD_LEVEL = 3


class Groups:
    """Rows on their way into a file, a row group at a time."""

    def __init__(self, out: Output, size: int) -> None:
        """Take the open file, and the bytes of a row group."""
        self._writer: Any = pq.ParquetWriter(
            out, SCHEMA, compression="zstd", compression_level=_ZSTD_LEVEL, use_dictionary=_REPEATED,
            write_statistics=_CHOSEN, write_page_checksum=True,
        )  # fmt: skip
        self._limit, self._waiting, self._size, self._rows = size, list[Any](), 0, 0

    def add(self, batch: Any, alive: bytes | bytearray | None = None) -> None:  # noqa: ANN401  # pyarrow has no types
        """Append rows, those that are marked alive; a row group is cut off as soon as it is full."""
        if alive is not None and not all(alive):
            batch = batch.filter(pa.array([bool(one) for one in alive], pa.bool_()))
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self._size += batch.nbytes
        self._rows += batch.num_rows
        if self._size >= self._limit or self._rows >= _MOST:
            self._cut()

    def end(self) -> None:
        """Write the last row group, and the footer."""
        self._cut()
        self._writer.close()

    def _cut(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, SCHEMA)
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._size, self._rows = [], 0, 0


class reading:  # noqa: N801  # used like a function
    """Turn what the library says of a damaged file into our error."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate; whatever else happened passes."""
        if isinstance(error, (pa.ArrowException, KeyError, OverflowError)) or (
            isinstance(error, OSError) and error.errno is None
        ):
            message = f"it is no Parquet file of ours, or is damaged: {error}".partition("\n")[0][:200]
            raise DamagedError(message) from error


def batches(file: Readable, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Yield the rows of a published file in batches.

    Raises:
        DamagedError: it is damaged, or none of ours.
    """
    with reading():
        table = opened(file)
        found = table.iter_batches(_BATCH if columns is None else 4096, columns=columns, use_threads=False)
    while True:
        with reading():
            batch = next(found, None)
        if batch is None:
            return
        yield batch


def names(file: Readable) -> Iterator[bytes]:
    """Yield the paths of all rows."""
    for batch in batches(file, ["path"]):
        for path in batch.column(0).to_pylist():
            yield str(path).encode()


def batch_of(rows: Sequence[tuple[Row, bytes]]) -> Any:  # noqa: ANN401  # pyarrow has no types
    """Return rows and their documents as columns."""
    texts = [data.decode() if row.content is None else None for row, data in rows]
    columns = {
        **{name: [getattr(row, name) for row, _ in rows] for name in SCHEMA.names[:-2]},
        "updated_at": [None if row.updated_at is None else _time(row.updated_at) for row, _ in rows],
        "fields": [list(row.fields.items()) for row, _ in rows],
        "document": texts,
        "content": [data if text is None else None for (_, data), text in zip(rows, texts, strict=True)],
    }
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)


def opened(file: Readable) -> Any:  # noqa: ANN401  # pyarrow has no types
    """Open a published file.

    Raises:
        DamagedError: it is damaged, or none of ours.
    """
    with reading():
        table = pq.ParquetFile(pa.PythonFile(Input(file), "r"), pre_buffer=False, page_checksum_verification=True)
        if not table.schema_arrow.equals(SCHEMA):
            raise pa.ArrowInvalid("its columns are not ours")
        return table


def document_of(values: dict[str, Any]) -> bytes:
    """Return the document of a row, as it was served."""
    text, content = values["document"], values["content"]
    return bytes(content or b"") if text is None else str(text).encode()


def line_of(values: dict[str, Any]) -> bytes:
    """Return a row as a line again."""
    when = values["updated_at"]
    head = {name: values[name] for name in SCHEMA.names[:-2]}
    head |= {"fields": dict(values["fields"]), "updated_at": None if when is None else when.isoformat()}
    return write_line(Row(**head), document_of(values))


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
