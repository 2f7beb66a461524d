"""Switchable trouble: what a server, a proxy or the network does to a client on a bad day."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import msgspec

from syncer.demo.platform.answers import JSON, Answer, login_page, page, problem

Kind = Literal[
    "status",  # answer with `status`, as JSON or HTML, with `retry_after` if it is set
    "rate",  # 429 above `per_second` requests a second
    "latency",  # wait `seconds` before every answer
    "expire",  # make all access tokens given so far invalid: 401 in the middle of a run
    "reset",  # drop the connection without an answer
    "cut",  # promise the whole body, send `keep` bytes of it, drop the connection
    "slow",  # send the body in ten pieces over `seconds`
    "login",  # 200 with an HTML form
    "garbage",  # 200, application/json, a body that is no JSON
    "repeat",  # serve the previous answer of this route again
    "vanish",  # after this answer, delete the tasks in `delete`
    "corrupt",  # rows of `task` carry JSON that will not parse, see `how`
]

#: Kinds that need the answer, or what it carries.
_AFTER = {"cut", "slow", "repeat", "vanish"}
_REPLACES = {"status", "login", "garbage", "reset"}

#: What a corrupt row carries (`Fault.how`).
CORRUPTIONS: Mapping[str, bytes] = {
    "nan": b'"spoiled":NaN',
    "infinity": b'"spoiled":-Infinity',
    "surrogate": b'"spoiled":"\\ud800"',
    "control": b'"spoiled":"\x01"',
    "utf8": b'"spoiled":"\xff\xfe"',
    "deep": b'"spoiled":' + b"[" * 20_000 + b"]" * 20_000,
    "comma": b'"spoiled":,',
}


@dataclass(slots=True)
class Fault:
    """One kind of trouble, for the requests that match it. JSON of the same shape is what `/_faults` takes."""

    kind: Kind
    #: Name of a route, with wildcards: "tasks", "task", "annotation", "projects", "refresh" ...
    route: str = "*"
    #: Query parameters that must have these values.
    where: dict[str, str] = field(default_factory=dict)
    #: Only requests that are for this task, or whose page carries it.
    task: int | None = None
    #: Let so many matching requests pass first.
    after: int = 0
    #: Then strike so often; None: until it is cleared.
    times: int | None = 1
    #: Count each distinct request (method, path, parameters) by itself: "fails once, then succeeds".
    each: bool = False
    status: int = 503
    html: bool = False
    retry_after: float | None = None
    seconds: float = 0.0
    per_second: float = 0.0
    keep: int = 100
    delete: list[int] = field(default_factory=list)
    how: str = "nan"
    #: How often it struck.
    hits: int = 0
    seen: Counter[str] = field(default_factory=Counter, repr=False)
    tat: float = field(default=0.0, repr=False)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Fault":
        """Read a fault as `/_faults` takes it.

        Raises:
            ValueError: an unknown kind or field.
        """
        unknown = raw.keys() - {f.name for f in fields(cls)} | ({raw.get("kind")} - set(get_args(Kind)))
        if unknown or raw.get("how", "nan") not in CORRUPTIONS:
            message = f"no such fault: {sorted(map(str, unknown)) or raw.get('how')}"
            raise ValueError(message)
        return cls(**raw)

    def strikes(self, identity: str) -> bool:
        """Count a matching request, and tell whether it is hit."""
        key = identity if self.each else ""
        self.seen[key] += 1
        turn = self.seen[key] - self.after
        hit = turn > 0 and (self.times is None or turn <= self.times)
        self.hits += hit
        return hit

    def over_rate(self, monotonic: float) -> bool:
        """Tell whether a request comes too early for `per_second`; bursts of a tenth of a second are let through."""
        step = 1 / self.per_second
        if monotonic < self.tat - max(0.1, step):
            self.hits += 1
            return True
        self.tat = max(self.tat, monotonic) + step
        return False

    def replacement(self) -> Answer | None:
        """Return the answer that stands in for the real one; None for a reset."""
        if self.kind == "reset":
            return None
        if self.kind == "login":
            return login_page()
        if self.kind == "garbage":
            return Answer(b'{"tasks": [{"id": 1, "annotations": [', 200, JSON)
        answer = page(self.status) if self.html else problem(self.status, "Request was throttled or failed.")
        if self.retry_after is not None:
            answer.headers["Retry-After"] = f"{self.retry_after:g}"
        return answer


class Subject(msgspec.Struct, frozen=True):
    """What a fault is matched against: one request, and the tasks in its answer once they are known."""

    route: str
    identity: str
    params: Mapping[str, str]
    tasks: tuple[int, ...] = ()


class Faults:
    """All faults that are switched on, in the order in which they were added."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._active)

    def __len__(self) -> int:
        return len(self._active)

    def add(self, kind: Kind, **options: Any) -> Fault:
        """Switch a fault on; its fields are those of `Fault`."""
        fault = Fault.from_json({"kind": kind, **options})
        self._active.append(fault)
        return fault

    def storm(self, times: int, retry_after: float | None = None, status: int = 429, route: str = "*") -> Fault:
        """The next `times` requests are refused."""
        return self.add("status", times=times, retry_after=retry_after, status=status, route=route)

    def rate(self, per_second: float, retry_after: float | None = 1, route: str = "*") -> Fault:
        """Refuse with 429 what comes faster than so many requests a second."""
        return self.add("rate", per_second=per_second, retry_after=retry_after, route=route, status=429, times=None)

    def latency(self, seconds: float, route: str = "*") -> Fault:
        """Wait before every answer."""
        return self.add("latency", seconds=seconds, route=route, times=None)

    def remove(self, fault: Fault) -> None:
        """Switch one off."""
        self._active.remove(fault)

    def clear(self) -> None:
        """Switch all off."""
        self._active.clear()

    def before(self, subject: Subject) -> Iterator[Fault]:
        """Yield the faults that strike before the request is looked at."""
        for fault in self._matching(subject):
            if fault.kind == "rate":
                if fault.over_rate(time.monotonic()):
                    yield fault
            elif fault.task is None and fault.kind not in _AFTER | {"corrupt"} and fault.strikes(subject.identity):
                yield fault

    def after(self, subject: Subject) -> Iterator[Fault]:
        """Yield the faults that strike the answer, whose tasks are known now."""
        for fault in self._matching(subject):
            here = fault.task in subject.tasks if fault.task is not None else fault.kind in _AFTER
            if here and fault.kind in _AFTER | _REPLACES and fault.strikes(subject.identity):
                yield fault

    def corruption(self, task: int) -> bytes | None:
        """Return what the row of a task is spoiled with now."""
        for fault in self._active:
            if fault.kind == "corrupt" and fault.task == task:
                fault.hits += 1
                return CORRUPTIONS[fault.how]
        return None

    def _matching(self, subject: Subject) -> Iterator[Fault]:
        for fault in tuple(self._active):
            if fnmatchcase(subject.route, fault.route) and fault.where.items() <= subject.params.items():
                yield fault
