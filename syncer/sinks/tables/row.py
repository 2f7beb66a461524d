"""One item as a line of JSON: what identifies it, then the document itself, byte for byte. Pure.

A document that is JSON stands in the line as it was served, so that readers see an object and not a string. Only line
breaks can't stand there: JSON has them between its tokens alone, where each becomes a space, and `breaks` says where
they were. Whatever is no JSON (an image, a text) goes as base64 into `content`. Either way the original bytes, whose
sha256 the line carries, come back exactly.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted

import msgspec

from syncer.model.entries import Entry, SpooledFile
from syncer.model.errors import StoreFailed
from syncer.sinks.zip64.deflate import DamagedError

#: Bytes of the largest document that becomes a row: it is held in memory, several times.
LARGEST = 256 << 20

_BREAK = re.compile(rb"[\n\r]")
_SPACED = bytes.maketrans(b"\n\r", b"  ")


class Row(msgspec.Struct, frozen=True):
    """What a line says, but for the document."""

    kind: str
    project: str
    batch: str | None
    annotation_type: str | None
    item: str
    version: str
    #: ISO 8601, where the platform says when it changed.
    updated_at: str | None
    fields: Mapping[str, str]
    #: Name of the item in its file.
    path: str
    media_type: str
    #: Bytes of the original document, and their digest.
    size: int
    sha256: str
    #: Distances between line feeds, and between carriage returns, that became spaces.
    breaks: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    #: Base64 of what is no JSON.
    content: str | None = None


class _Name(msgspec.Struct):
    path: str


_ROWS = msgspec.json.Decoder(Row)
_NAMES = msgspec.json.Decoder(_Name)
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)


def row_of(entry: Entry) -> tuple[Row, bytes]:
    """Return an entry as a row, and its document. Blocking: a large one lies in a file.

    Raises:
        StoreFailed: it is too large for a row.
    """
    if entry.size > LARGEST:
        message = f"{entry.key.canonical()} has {entry.size >> 20:,} MiB: too much for a row of a table"
        raise StoreFailed(message, hint="store files in a sink of type prefix or zip, and leave media out of tables")
    data = entry.body.path.read_bytes() if isinstance(entry.body, SpooledFile) else entry.body
    updated = None if entry.updated_at is None else entry.updated_at.isoformat()
    row = Row(
        *entry.key, entry.version, updated, entry.fields, entry.path, entry.media_type, len(data), entry.sha256
    )  # fmt: skip
    return row, data


def write_line(row: Row, data: bytes) -> bytes:
    """Return a row and its document as a line, without its end."""
    fields = ",".join([f"{_quoted(name)}:{_quoted(value)}" for name, value in row.fields.items()])
    head = (
        f'{{"kind":{_quoted(row.kind)},"project":{_quoted(row.project)},"batch":{_optional(row.batch)}'
        f',"annotation_type":{_optional(row.annotation_type)},"item":{_quoted(row.item)}'
        f',"version":{_quoted(row.version)},"updated_at":{_optional(row.updated_at)},"fields":{{{fields}}}'
        f',"path":{_quoted(row.path)},"media_type":{_quoted(row.media_type)},"size":{row.size},"sha256":"{row.sha256}"'
    )
    if not is_json(data):
        return _encoded(f'{head},"content":"{b64encode(data).decode()}","document":null}}')
    if _BREAK.search(data):
        breaks = str([_gaps(data, byte) for byte in (b"\n", b"\r")]).replace(" ", "")
        head += f',"breaks":{breaks}'
        data = data.translate(_SPACED)
    return b"".join((_encoded(head), b',"document":', data, b"}"))


def name_of(line: bytes) -> bytes:
    """Return the path that a line is about.

    Raises:
        DamagedError: it is no line of ours.
    """
    try:
        return _NAMES.decode(line).path.encode()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        message = "a line of it can't be read"
        raise DamagedError(message) from error


def read_line(line: bytes) -> tuple[Row, bytes]:
    """Return what a line says, and the original document.

    Raises:
        DamagedError: it is no line of ours.
    """
    message = "a line of it can't be read"
    try:
        row = _ROWS.decode(line)
        if row.content is not None:
            return row, b64decode(row.content, validate=True)
    except (msgspec.MsgspecError, ValueError, RecursionError, Base64Error) as error:
        raise DamagedError(message) from error
    data = line[len(line) - 1 - row.size : -1]
    if len(data) != row.size or not line.startswith(b',"document":', len(line) - 13 - row.size):
        raise DamagedError(message)
    return row, _broken(data, row.breaks)


def is_json(data: bytes) -> bool:
    """Tell whether a document is JSON that every reader takes: valid, in UTF-8, of a sane depth."""
    try:
        _SYNTAX.decode(data)
        if not data.isascii():
            data.decode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _broken(data: bytes, breaks: tuple[tuple[int, ...], tuple[int, ...]]) -> bytes:
    """Put line breaks back where they were."""
    if breaks == ((), ()):
        return data
    whole = bytearray(data)
    for byte, gaps in zip(b"\n\r", breaks, strict=True):
        at = -1
        for gap in gaps:
            at += gap
            if not 0 <= at < len(whole):
                message = "a line of it has line breaks outside of its document"
                raise DamagedError(message)
            whole[at] = byte
    return bytes(whole)


def _gaps(data: bytes, byte: bytes) -> list[int]:
    """Return how far each occurrence of a byte is from the one before."""
    gaps, last = [], -1
    at = data.find(byte)
    while at >= 0:
        gaps.append(at - last)
        last, at = at, data.find(byte, at + 1)
    return gaps


def _optional(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is no text; the manifest has the name as it is
        return text.encode("utf-8", "replace")
