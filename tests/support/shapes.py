"""What two servers' answers have in common when their ids and times differ: keys, their order, types, status, words."""

import re
from typing import Any

from tests.support.studio import Reply

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$")
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def shape(value: Any) -> Any:
    """Return the structure of a JSON value: objects as ordered pairs, scalars as the name of their type."""
    match value:
        case dict():
            return [(key, shape(item)) for key, item in value.items()]
        case list():
            return [shape(item) for item in value]
        case str() if _TIME.match(value):
            return "time"
        case str() if _UUID.match(value):
            return "uuid"
        case _:
            return type(value).__name__


def difference(expected: Any, found: Any, where: str = "") -> str:
    """Return the first place where two shapes differ, and how; nothing if they are alike."""
    if isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)) and len(expected) == len(found):
        for place, (left, right) in enumerate(zip(expected, found, strict=True)):
            name = left[0] if isinstance(left, tuple) and left else place
            if told := difference(left, right, f"{where}/{name}"):
                return told
        return ""
    return "" if expected == found else f"{where}: {str(expected)[:600]} became {str(found)[:600]}"


def outline(reply: Reply) -> tuple[Any, ...]:
    """Return what must be equal of two answers: status, media type, and shape, or size where it is no JSON."""
    if reply.media != "application/json":
        return (reply.status, reply.media, len(reply.body))
    return (reply.status, reply.media, shape(reply.json()))


def refusal(reply: Reply) -> tuple[Any, ...]:
    """Return what must be equal of two refusals: also the words, but for ids in them."""
    if reply.media != "application/json":
        return (reply.status, reply.media, len(reply.body))
    body = reply.json()
    return (reply.status, reply.headers.get("WWW-Authenticate"), {**body, "id": ""} if "id" in body else body)
