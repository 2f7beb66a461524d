"""Takes a page of JSON apart row by row, with turns for everybody else in between.

A parser holds the interpreter's lock from the first byte to the last, in a thread as much as on the loop: of a page
of ten megabytes everything stands still for as long as that takes. So a page is never parsed as one value. Its rows
are cut out one after the other, as the exact bytes that were served, and read a few at a time.
"""

import asyncio
import re
from collections.abc import Generator
from typing import TypeVar

import msgspec
from msgspec import Raw

T = TypeVar("T")

#: Work that takes a step for each row, of as many bytes as the row has, and has a result.
Steps = Generator[int, None, T]

#: Bytes that are read between two turns of the loop: about a millisecond.
TURN = 128 * 1024
#: What a row counts at least: many small ones take long, too.
LEAST = 2048

#: Skips over any value. Only the words of its error say where the value ends: behind it comes the next row.
_VALUE = msgspec.json.Decoder(Raw)
_BEHIND = re.compile(r"trailing characters \(byte (\d+)\)")
_PAGE = msgspec.json.Decoder(dict[str, Raw])
_ROWS = msgspec.json.Decoder(list[Raw] | None)
_NULL = Raw(b"null")
_SPACE = re.compile(rb"[ \t\r\n]*")
_BLANKS = b" \t\r\n"
_COMMA, _END = b",]"


def rows_of(body: bytes, name: str) -> Generator[bytes, None, bytes]:
    """Yield the rows of one list of a page, each as it was served; return the page with that list empty.

    A list that is null, or not there, has no rows. What is returned was not looked at: whoever reads it finds out
    whether the page was one.

    Raises:
        ValueError, RecursionError: it is no page, or not UTF-8.
    """
    given, row = 0, b""
    begin = _begin(body, name)
    if begin is not None:
        view, at, sign = memoryview(body), _space(body, begin), _COMMA
        if body[at : at + 1] == b"]":
            sign = _END
        while sign == _COMMA:
            end = _end(view, at)
            if end is None or body[end] not in {_COMMA, _END}:
                break
            yield (row := utf8(body[at:end].rstrip(_BLANKS)))
            given += 1
            sign, at = body[end], (end if body[end] == _END else _space(body, end + 1))
        if sign == _END and _named(name).search(body, at) is None:
            return utf8(body[:begin] + body[at:])
    # Broken, or of an unusual form: the parser has the last word, on all of it at once.
    page = _PAGE.decode(utf8(body))
    rows = _ROWS.decode(page.get(name, _NULL))
    if rows is None:
        return body
    if given and (len(rows) < given or bytes(rows[given - 1]) != row):
        message = f"the page has two lists called {name!r}"
        raise ValueError(message)
    for each in rows[given:]:
        yield bytes(each)
    return msgspec.json.encode(page | {name: Raw(b"[]")})


async def in_turns(steps: Steps[T]) -> T:
    """Carry out work, and let the loop do something else whenever `TURN` bytes are done; return its result."""
    done = 0
    while True:
        try:
            done += max(LEAST, next(steps))
        except StopIteration as end:
            result: T = end.value
            return result
        if done >= TURN:
            done = 0
            await asyncio.sleep(0)


def at_once(steps: Steps[T]) -> T:
    """Carry out work without a pause: in tests, and where nobody waits."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _begin(body: bytes, name: str) -> int | None:
    """Return where the first row of a list stands; None where the list is not simply a member of the page."""
    found = _named(name).search(body)
    if found is None:
        return None
    try:
        # Closed behind the bracket, what stands before it is a page only if nothing else is open.
        before = _PAGE.decode(body[: found.end()] + b"]}")
    except (ValueError, RecursionError):
        return None
    return found.end() if name in before else None


def _named(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%b"[ \t\r\n]*:[ \t\r\n]*\[' % re.escape(name.encode()))


def _end(view: memoryview, start: int) -> int | None:
    """Return where something follows a value; None where that is not to be found out."""
    try:
        _VALUE.decode(view[start:])
    except msgspec.DecodeError as error:
        behind = _BEHIND.search(str(error))
        return None if behind is None else start + int(behind[1]) - 1
    return None


def _space(body: bytes, at: int) -> int:
    found = _SPACE.match(body, at)
    return at if found is None else found.end()


def utf8(data: bytes) -> bytes:
    """Return bytes if they are UTF-8: values are skipped over, so nothing later would notice.

    Raises:
        UnicodeDecodeError: they are not.
    """
    if not data.isascii():
        data.decode()
    return data
