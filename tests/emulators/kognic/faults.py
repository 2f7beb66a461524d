"""Switchable trouble, for both origins."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from tests.emulators.kognic.answers import Answer, answer

Kind = Literal[
    "status",  # answer with `status`, as JSON, with `retry_after` if it is set
    "html",  # answer with `status` and a page for people
    "garbage",  # 200, application/json, a body that is no JSON
    "reset",  # drop the connection without an answer
    "cut",  # promise the whole body, send `keep` bytes of it, drop the connection
    "latency",  # wait `seconds` before the answer
    "slow",  # send the body in ten pieces over `seconds`
    "rate",  # 429 above `per_second` requests a second
]


@dataclass(slots=True)
class Fault:
    """One kind of trouble, for the requests that match it. JSON of the same shape is what `/_faults` takes."""

    kind: Kind
    #: Name of a route, with wildcards: "search", "token", "storage", "projects" ...
    route: str = "*"
    #: What method, path and query, or the annotation's UUID, must contain.
    match: str = ""
    #: Let so many matching requests pass first.
    after: int = 0
    #: Then strike so often; None: until it is cleared.
    times: int | None = 1
    status: int = 503
    retry_after: float | None = None
    seconds: float = 0.0
    per_second: float = 0.0
    keep: int = 10
    #: How many requests matched, and how often it struck.
    seen: int = 0
    hits: int = 0
    tat: float = field(default=0.0, repr=False)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Fault":
        """Read a fault.

        Raises:
            ValueError: an unknown kind or field.
        """
        unknown = raw.keys() - {f.name for f in fields(cls)} | ({raw.get("kind")} - set(get_args(Kind)))
        if unknown:
            message = f"no such fault: {sorted(map(str, unknown))}"
            raise ValueError(message)
        return cls(**raw)

    def strikes(self, route: str, identity: str) -> bool:
        """Count a request that matches, and tell whether it is hit."""
        if not fnmatchcase(route, self.route) or self.match not in identity:
            return False
        self.seen += 1
        turn = self.seen - self.after
        hit = turn > 0 and (self.times is None or turn <= self.times)
        if hit and self.kind == "rate":
            hit = self._too_fast()
        self.hits += hit
        return hit

    def _too_fast(self) -> bool:
        now, step = time.monotonic(), 1 / self.per_second
        if now < self.tat - max(0.1, step):
            return True
        self.tat = max(self.tat, now) + step
        return False

    def replacement(self) -> Answer | None:
        """Return the answer that stands in for the real one, if one does."""
        match self.kind:
            case "html":
                return Answer(b"<!doctype html><title>Sign in</title>", self.status, "text/html; charset=utf-8")
            case "garbage":
                return Answer(b'{"data": [{"inputUuid": "')
            case "status" | "rate":
                status = 429 if self.kind == "rate" else self.status
                made = answer({"message": f"emulated failure {status}"}, status)
                if self.retry_after is not None:
                    made.headers["Retry-After"] = f"{self.retry_after:g}"
                return made
            case _:
                return None


@dataclass(slots=True)
class Faults:
    """All trouble that is switched on."""

    _on: list[Fault] = field(default_factory=list)

    def add(self, kind: Kind, **options: Any) -> Fault:
        """Switch one on; options are the fields of `Fault`."""
        fault = Fault(kind, **options)
        self._on.append(fault)
        return fault

    def take(self, fault: Fault) -> None:
        """Switch one on."""
        self._on.append(fault)

    def clear(self) -> None:
        """Switch all off."""
        self._on.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._on)

    def striking(self, route: str, identity: str) -> list[Fault]:
        """Return the faults that hit a request."""
        return [fault for fault in self._on if fault.strikes(route, identity)]
