"""Answers of an emulated Clarifai: envelopes with codes, what faults make of them, and its quota."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Any

from tests.emulators.clarifai_store import NAMES

JSON = "application/json"

#: HTTP status and words of the codes that the emulator answers with.
WORDS: Mapping[int, tuple[int, str]] = {
    10000: (200, "Ok"),
    10020: (400, "Failure"),
    10030: (503, "Try again"),
    11003: (429, "Hourly limit exceeded"),
    11004: (402, "Monthly limit exceeded"),
    11005: (429, "exceeded limit of 15 requests per second"),
    11007: (403, "Insufficient scopes"),
    11008: (401, "Invalid API key or Invalid API key/application pair"),
    11101: (404, "Resource does not exist"),
    11102: (400, "Invalid request"),
    30102: (404, "Input does not exist"),
    24155: (400, "Annotation invalid argument"),
    39997: (503, "Requests are disabled for maintenance"),
    40002: (400, "Invalid search request"),
    40031: (503, "Server unavailable"),
    43004: (400, "Search by not fully indexed input"),
}


@dataclass(slots=True)
class Answer:
    """What goes over the wire."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = JSON


class Refused(Exception):
    """The request can't be answered; its code says why."""

    def __init__(self, code: int, details: str = "") -> None:
        """Take the code and the details of the envelope."""
        super().__init__(details)
        self.code = code
        self.details = details


def envelope(code: int = 10000, details: str = "", *, names: bool = False) -> dict[str, Any]:
    """Return the `status` object of an answer."""
    said: Any = NAMES.get(code, code) if names else code
    words = WORDS.get(code, (400, "Something else"))[1]
    status = {"code": said, "description": words, "req_id": "0123456789abcdef0123456789abcdef"}
    return status | ({"details": details} if details else {})


def refusal(code: int, details: str = "", *, status: int | None = None, names: bool = False) -> Answer:
    """Return an answer that is nothing but a failure."""
    body = json.dumps({"status": envelope(code, details, names=names)}).encode()
    return Answer(body, WORDS.get(code, (400, ""))[0] if status is None else status)


def listing(name: str, rows: Iterable[bytes], *, names: bool = False) -> Answer:
    """Return a list of rows that are JSON already."""
    head = json.dumps({"status": envelope(names=names)}).encode()[:-1]
    return Answer(b'%b,"%b":[%b]}' % (head, name.encode(), b",".join(rows)))


def page() -> Answer:
    """Return a proxy's page."""
    return Answer(b"<html><body><h1>502 Bad Gateway</h1></body></html>", 502, media_type="text/html")


def gateway(code: int, message: str, status: int) -> Answer:
    """Return an error in the words of the gateway in front of the API."""
    return Answer(json.dumps({"code": code, "message": message, "details": []}).encode(), status)


@dataclass(slots=True)
class Fault:
    """An answer that stands in for the real one, for requests of some routes."""

    answer: Answer | None
    route: str = "*"
    #: Let so many pass first, then strike so often; None: until it is removed.
    after: int = 0
    times: int | None = 1
    seen: int = 0

    def strikes(self, route: str) -> bool:
        """Count a request, and tell whether it is hit."""
        if not fnmatchcase(route, self.route):
            return False
        self.seen += 1
        turn = self.seen - self.after
        return turn > 0 and (self.times is None or turn <= self.times)


@dataclass(slots=True)
class Quota:
    """So many requests in any second; what comes above is refused with the code 11005."""

    per_second: int
    monotonic: Callable[[], float]
    #: HTTP status of the refusal: what goes with the code is not documented.
    status: int = 429
    retry_after: float | None = None
    refused: int = 0
    #: When requests were let through.
    passed: list[float] = field(default_factory=list)
    _window: deque[float] = field(default_factory=deque)

    def admit(self) -> Answer | None:
        """Let a request pass, or return its refusal."""
        now = self.monotonic()
        while self._window and self._window[0] <= now - 1.0:
            self._window.popleft()
        if len(self._window) < self.per_second:
            self._window.append(now)
            self.passed.append(now)
            return None
        self.refused += 1
        answer = refusal(11005, status=self.status)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = f"{self.retry_after:g}"
        return answer


def dated(answer: Answer, now: float) -> Answer:
    """Return an answer with the server's clock on it."""
    answer.headers.setdefault("Date", formatdate(now, usegmt=True))
    return answer
