"""Data on standard output: as a table for people, as JSON or CSV for programs."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal

from syncer.observe.screen import printable

Row = Mapping[str, object]
Form = Literal["table", "json", "jsonl", "csv"]


def show(rows: Iterable[Row], form: Form, columns: Sequence[str] = (), *, empty: str = "") -> None:
    """Print all rows, see `Printer`."""
    printer = Printer(form, columns)
    printer.add(rows)
    printer.end(empty)


class Printer:
    """Prints rows as they come, in batches. The first batch decides on the columns and widths of a table."""

    def __init__(self, form: Form, columns: Sequence[str] = ()) -> None:
        """Take the form; without `columns` those of the first rows, in the order they are met."""
        self._form = form
        self._columns = columns
        self._widths: dict[str, int] = {}
        self._right: set[str] = set()
        self._any = False

    def add(self, rows: Iterable[Row]) -> None:
        """Print some rows."""
        match self._form:
            case "json":
                for row in rows:
                    sys.stdout.write(f"{',' if self._any else '['}\n  {json_text(row)}")
                    self._any = True
            case "jsonl":
                for row in rows:
                    emit(json_text(row))
            case "csv":
                self._csv(list(rows))
            case "table":
                self._table(list(rows))

    def end(self, empty: str = "") -> None:
        """Print what has to follow the last row; `empty` is said on standard error where a table has no rows."""
        if self._form == "json":
            emit("\n]" if self._any else "[]")
        elif self._form == "table" and not self._any and empty:
            print(printable(empty), file=sys.stderr)

    def _csv(self, rows: Sequence[Row]) -> None:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        if not self._any:
            self._any = True
            self._columns = self._columns or _names(rows)
            writer.writerow(self._columns)
        for row in rows:
            writer.writerow([value if isinstance(value := row.get(n), int) else cell(value) for n in self._columns])
        sys.stdout.write(buffer.getvalue())

    def _table(self, rows: Sequence[Row]) -> None:
        if rows and not self._any:
            self._any = True
            names = self._columns = self._columns or _names(rows)
            self._right = {name for name in names if all(isinstance(row.get(name), int | None) for row in rows)}
            self._widths = {name: max(_width(name), *(_width(cell(row.get(name))) for row in rows)) for name in names}
            self._line([name.replace("_", " ").upper() for name in names])
        for row in rows:
            self._line([cell(row.get(name)) for name in self._columns])

    def _line(self, cells: Sequence[str]) -> None:
        padded = [
            _padded(text, self._widths[name], right=name in self._right)
            for name, text in zip(self._columns, cells, strict=True)
        ]
        emit("  ".join(padded).rstrip())


def emit(line: str) -> None:
    """Print one line on standard output."""
    sys.stdout.write(f"{line}\n")


def json_text(value: object, *, indent: int | None = None) -> str:
    r"""Return a value as JSON, what a terminal might obey as `\u` escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    if text.isprintable():
        return text
    # Outside its strings JSON is plain ASCII, so an escape is never out of place.
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


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


def _escape(character: str) -> str:
    return r"\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Return how many columns a terminal takes for what `cell` made."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


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
