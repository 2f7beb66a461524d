"""What the emulated server says: one value an answer, and the bodies of its refusals."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

#: The release that was measured; stands in `/api/version/` and in every JSON error.
RELEASE = "1.23.2"

JSON = "application/json"
HTML = "text/html; charset=utf-8"

#: Sizes of the two HTML error pages of the real server.
_HTML_SIZES = {404: 170_734, 500: 1_918}


class Answer(msgspec.Struct):
    """One response before it is sent. `tasks` names the tasks whose rows it carries, for faults."""

    body: bytes = b""
    status: int = 200
    media: str = JSON
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    tasks: tuple[int, ...] = ()
    #: File responses go without a length, and close the connection after them.
    streamed: bool = False


class Refused(Exception):
    """A handler says no; the dispatcher turns it into `answer`."""

    def __init__(self, answer: Answer) -> None:
        """Keep the refusal ready to send."""
        super().__init__(answer.status)
        self.answer = answer


def to_json(value: Any) -> bytes:
    """Return compact JSON text, unicode as it is, like the real renderer."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def ok(value: Any, status: int = 200) -> Answer:
    """Answer with a JSON value."""
    return Answer(to_json(value), status)


def no_content() -> Answer:
    """Answer a deletion."""
    return Answer(status=204)


def problem(status: int, detail: str, validation: Any = None) -> Answer:
    """Answer with the JSON error body that most views share."""
    body: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "status_code": status,
        "version": RELEASE,
        "detail": detail,
        "exc_info": None,
    }
    if validation is not None:
        body["validation_errors"] = validation
    return Answer(to_json(body), status)


def page(status: int) -> Answer:
    """Answer with an HTML error page of the size that the real one has."""
    title = f"{status} | Label Studio"
    head = f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title></head>\n'
    tail = f"<body><p>{title}</p></body>\n</html>\n"
    filler = "<!-- " + "." * max(0, _HTML_SIZES.get(status, 600) - len(head) - len(tail) - 10) + " -->\n"
    return Answer((head + filler + tail).encode(), status, HTML)


def login_page() -> Answer:
    """Answer 200 with a sign-in form, as a proxy in front of a server does when its session has run out."""
    return Answer(b'<!doctype html><html><body><form action="/user/login/">Sign in</form></body></html>', 200, HTML)


def refuse(status: int, detail: str, validation: Any = None) -> Refused:
    """Return the exception for a JSON error."""
    return Refused(problem(status, detail, validation))


def invalid(errors: Mapping[str, Any]) -> Refused:
    """Return the exception for input that does not validate."""
    return refuse(400, "Validation error", dict(errors))


def missing(noun: str) -> Refused:
    """Return the exception for an object that is not there."""
    return refuse(404, f"No {noun} matches the given query.")
