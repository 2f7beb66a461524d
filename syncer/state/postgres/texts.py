"""Texts with NUL, which PostgreSQL can't store: a platform may say anything, and no item is worth a crash."""

import re
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.types.string import StrBinaryDumper, StrDumperUnknown, TextLoader

#: Stands for NUL in the database: a character that nobody assigned a meaning to, or ever will. (Keys of items bring
#: their own, `names.NUL`, because SQLite could not look them up either.)
NUL = "\U0010ffff"

#: NUL in a text of JSON: an even number of backslashes before it are characters of their own.
_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class _Unknown(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", NUL) if "\0" in obj else obj)


class _Binary(StrBinaryDumper):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", NUL) if "\0" in obj else obj)


class _Loader(TextLoader):
    def load(self, data: Buffer) -> bytes | str:
        found = super().load(data)
        return found.replace(NUL, "\0") if isinstance(found, str) and NUL in found else found


def storable(value: Any) -> Any:  # noqa: ANN401  # a parameter of any type
    """Return a parameter; a list of texts as JSON spells NUL in a way of its own."""
    return _IN_JSON.sub(rf"\1{NUL}", value) if isinstance(value, str) and value.startswith("[") else value


def restored(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows of a binary result as they were written: its texts come without a look at each of them."""
    if NUL not in "".join([value for row in rows for value in row if isinstance(value, str)]):
        return rows
    return [tuple(value.replace(NUL, "\0") if isinstance(value, str) else value for value in row) for row in rows]


def allow_nul(connection: psycopg.Connection[Any]) -> None:
    """Let texts of this connection hold NUL."""
    adapters = connection.adapters
    adapters.register_dumper(str, _Binary)
    adapters.register_dumper(str, _Unknown)
    adapters.register_loader("text", _Loader)
