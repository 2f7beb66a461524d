"""Cuts JSON text into its parts without reading it: one bad row must not take a page with it. Pure.

Only used where a page can't be parsed (NaN, half a surrogate pair, bytes that are no UTF-8, endless nesting): brackets
and strings are still there to be counted.
"""

import json
import re
from collections.abc import Iterator

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)
_OPEN, _CLOSE = (b"[", b"{"), (b"]", b"}")


def elements(text: bytes) -> list[bytes]:
    """Return the elements of an array, or the members of an object, as they stand.

    Raises:
        ValueError: the text is cut short, or is neither.
    """
    return list(_parts(text))


def members(text: bytes) -> dict[str, bytes]:
    """Return the values of an object by their keys, as they stand; the last of equal keys wins.

    Raises:
        ValueError: it is no object, or it is cut short.
    """
    found: dict[str, bytes] = {}
    for part in _parts(text):
        key = _KEY.match(part)
        if key is None:
            message = "a member without a key"
            raise ValueError(message)
        found[text_of(key[1])] = part[key.end() :].strip()
    return found


def text_of(value: bytes | None) -> str:
    """Return what a JSON string says; empty for anything else."""
    if value is None or not value.startswith(b'"'):
        return ""
    try:
        found = json.loads(value.decode("utf-8", "replace"), strict=False)
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _parts(text: bytes) -> Iterator[bytes]:
    depth, start = 0, 0
    for token in _TOKEN.finditer(text):
        sign = token[0][:1]
        if sign in _OPEN:
            depth += 1
            if depth == 1:
                start = token.end()
        elif sign in _CLOSE:
            depth -= 1
            if depth == 0:
                if text[start : token.start()].strip():
                    yield text[start : token.start()].strip()
                return
        elif sign == b"," and depth == 1:
            yield text[start : token.start()].strip()
            start = token.end()
    message = "the text is cut short"
    raise ValueError(message)
