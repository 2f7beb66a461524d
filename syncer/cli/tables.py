"""Data on standard output: as a table for people, as JSON or CSV for programs."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import Literal

from rich.cells import cell_len

from syncer.observe.screen import printable

Row = Mapping[str, object]
Form = Literal["table", "json", "jsonl", "csv"]

#: Rows that are looked at for the widths of a table; a wider cell further down stands out.
_SAMPLE = 1000


def show(rows: Iterable[Row], form: Form, columns: Sequence[str] = (), *, empty: str = "") -> None:
    """Print rows; without `columns` those of the rows, in the order they are met.

    `empty` is said on standard error where a table would have no rows.
    """
    match form:
        case "json":
            _json_array(rows)
        case "jsonl":
            for row in rows:
                emit(json_text(row))
        case "csv":
            _csv(rows, columns)
        case "table":
            _table(rows, columns, empty)


def emit(line: str) -> None:
    """Print one line on standard output."""
    sys.stdout.write(f"{line}\n")


def json_text(value: object, *, indent: int | None = None) -> str:
    r"""Return a value as JSON, what a terminal might obey as `\u` escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    if text.isprintable():
        return text
    # Outside its strings JSON is plain ASCII, so an escape is never out of place.
    return "".join(
        c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] if c != "\x7f" else r"\u007f" for c in text
    )


def cell(value: object) -> str:
    """Return a value for people."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case str():
            return printable(value)
        case _:
            return printable(json_text(value))


def _json_array(rows: Iterable[Row]) -> None:
    separator = "["
    for row in rows:
        sys.stdout.write(f"{separator}\n  {json_text(row)}")
        separator = ","
    emit("[]" if separator == "[" else "\n]")


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    first, whole = _begin(rows)
    names = columns or _names(first)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in chain([{name: name for name in names}], whole):
        writer.writerow([value if isinstance(value := row.get(name), int) else cell(value) for name in names])
        sys.stdout.write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()


def _table(rows: Iterable[Row], columns: Sequence[str], empty: str) -> None:
    first, whole = _begin(rows)
    if not first:
        if empty:
            print(empty, file=sys.stderr)
        return
    names = columns or _names(first)
    right = {name for name in names if all(isinstance(row.get(name), int | None) for row in first)}
    widths = {name: max(cell_len(name), *(cell_len(cell(row.get(name))) for row in first)) for name in names}
    header = {name: name.replace("_", " ").upper() for name in names}
    for row in chain([header], whole):
        padded = [_padded(cell(row.get(name)), widths[name], right=name in right) for name in names]
        emit("  ".join(padded).rstrip())


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _begin(rows: Iterable[Row]) -> tuple[list[Row], Iterable[Row]]:
    iterator = iter(rows)
    first = list(islice(iterator, _SAMPLE))
    return first, chain(first, iterator)


def _names(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)
