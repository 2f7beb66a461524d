"""Which items a list of lines names: canonical keys, manifest rows, or plain ids of one project. Pure."""

import json
from collections.abc import Iterable

from syncer.model.erasure import ANY
from syncer.model.refs import ItemKey
from syncer.model.rows import decode_row


def read_keys(lines: Iterable[str], project: str | None = None) -> list[ItemKey]:
    """Return the items that lines name, in their order, each once; empty lines and `#` comments are skipped.

    Raises:
        ValueError: a line names none; the message says which line, and why.
    """
    found: dict[ItemKey, None] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            found[_key(text, project)] = None
        except ValueError as error:
            message = f"line {number}: {error}"
            raise ValueError(message) from None
    return list(found)


def _key(text: str, project: str | None) -> ItemKey:
    if text.startswith("["):
        return ItemKey.parse(text)
    if text.startswith("{"):
        value = json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("item"), str):
            # As `syncer manifest` prints it, keys as columns.
            return ItemKey.parse(json.dumps([value.get(name) for name in ItemKey._fields]))
        return decode_row(text.encode()).key
    if project is None:
        message = "a plain id means nothing without its project"
        raise ValueError(message)
    return ItemKey(ANY, project, None, None, text)
