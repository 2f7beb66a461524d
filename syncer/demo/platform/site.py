"""One emulated server's shared parts, and what its handlers are given."""

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from syncer.demo.platform.answers import RELEASE, Answer, refuse
from syncer.demo.platform.auth import Auth
from syncer.demo.platform.faults import Faults
from syncer.demo.platform.render import Include, Renderer
from syncer.demo.platform.rows import Annotation, Task
from syncer.demo.platform.selection import Selector
from syncer.demo.platform.store import Store

#: Requests that are kept in the log.
_LOGGED = 100_000

#: Rendered rows that are kept.
_ROWS = 8_192

#: Fields whose text changes by itself.
_MOVING = frozenset({"created_ago", "drafts"})

VERSION: Mapping[str, Any] = {
    "release": RELEASE,
    "label-studio-os-package": {
        "version": RELEASE,
        "short_version": "1.23",
        "latest_version_from_pypi": None,
        "latest_version_upload_time": None,
        "current_version_is_outdated": False,
    },
    "label-studio-os-backend": {
        "message": "embedded",
        "commit": "0" * 40,
        "date": "",
        "branch": "",
        "version": RELEASE,
    },
    "label-studio-frontend": {"message": "embedded", "commit": "0" * 40, "date": "", "branch": ""},
    "dm2": {"message": "embedded", "commit": "0" * 40, "date": "", "branch": ""},
    "label-studio-converter": {"version": "2.1.2"},
    "edition": "Community",
}


class Call(msgspec.Struct, frozen=True):
    """One request as a handler sees it."""

    method: str
    route: str
    path: str
    #: Numbers in the path, in order.
    ids: tuple[int, ...]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    #: Origin as the client wrote it, for links.
    base: str = ""
    query: str = ""

    def json(self) -> Any:
        """Return the decoded body.

        Raises:
            Refused: 400, it is no JSON.
        """
        try:
            return json.loads(self.body or b"{}", parse_constant=_reject)
        except ValueError as error:
            raise refuse(400, f"JSON parse error - {error}") from None

    @property
    def include(self) -> Include:
        """Field names of `include=`; names are not trimmed, as on the real server."""
        text = self.params.get("include")
        return None if text is None else frozenset(text.split(","))


class Logged(msgspec.Struct, frozen=True):
    """One line of the request log."""

    method: str
    route: str
    path: str
    params: Mapping[str, str]
    status: int


class Traffic(msgspec.Struct):
    """What clients asked, for assertions."""

    #: Requests by route name, refused ones included.
    requests: Counter[str] = msgspec.field(default_factory=Counter)
    #: Answers by status; 0 is a connection that was dropped.
    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    log: deque[Logged] = msgspec.field(default_factory=lambda: deque(maxlen=_LOGGED))
    #: Requests being answered now, and the most there ever were.
    inflight: int = 0
    peak: int = 0

    def add(self, call: Call, status: int) -> None:
        """Note an answered request."""
        self.requests[call.route] += 1
        self.statuses[status] += 1
        self.log.append(Logged(call.method, call.route, call.path, call.params, status))

    def clear(self) -> None:
        """Start anew."""
        self.requests.clear()
        self.statuses.clear()
        self.log.clear()
        self.peak = self.inflight

    @property
    def writes(self) -> list[Logged]:
        """Requests that could change something; a reader has none but token refreshes."""
        return [line for line in self.log if line.method not in {"GET", "HEAD"} and line.route != "refresh"]


class Site:
    """Everything behind the port."""

    def __init__(self, store: Store, auth: Auth) -> None:
        self.store = store
        self.auth = auth
        self.faults = Faults()
        self.traffic = Traffic()
        self.selector = Selector(store.tasks)
        self._renderers: dict[tuple[Include, bool, bool], Renderer] = {}
        self._rows: dict[tuple[Include, bool], dict[int, bytes]] = {}
        self._revision = -1

    def renderer(self, include: Include = None, *, full: bool = True, single: bool = False) -> Renderer:
        """Return the renderer of a field set."""
        key = (include, full, single)
        if key not in self._renderers:
            self._renderers[key] = Renderer(self.store.now, include, full=full, single=single)
        return self._renderers[key]

    def rows(self, tasks: Sequence[int], include: Include, *, full: bool) -> list[bytes]:
        """Return rows of a listing, from memory where nothing in them moves with time."""
        renderer = self.renderer(include, full=full)
        if include is None or include & _MOVING:
            return [renderer.task(self.task(task)) for task in tasks]
        if self._revision != self.store.tasks.revision:
            self._rows.clear()
            self._revision = self.store.tasks.revision
        known = self._rows.setdefault((include, full), {})
        if len(known) > _ROWS:
            known.clear()
        rows = []
        for task in tasks:
            row = known.get(task)
            if row is None:
                row = known[task] = renderer.task(self.task(task))
            rows.append(row)
        return rows

    def task(self, number: int) -> Task:
        """Return a task.

        Raises:
            Refused: 404.
        """
        found = self.store.tasks.get(number)
        if found is None:
            raise refuse(404, "No Task matches the given query.")
        return found

    def annotation(self, number: int) -> tuple[Task, Annotation]:
        """Return an annotation and its task, likewise."""
        found = self.store.tasks.find(number)
        if found is None:
            raise refuse(404, "No Annotation matches the given query.")
        return found


Handler = Callable[[Site, Call], Answer]


def _reject(name: str) -> float:
    message = f"Out of range float values are not JSON compliant: {name!r}"
    raise ValueError(message)
