"""What the handlers of the API share: the world, habits of the server, paging, envelopes and signed links."""

import base64
import hashlib
import hmac
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

from tests.emulators.kognic.answers import Answer, Call, answer, refusal
from tests.emulators.kognic.auth import Auth
from tests.emulators.kognic.faults import Faults
from tests.emulators.kognic.world import Annotation, Project, World

Row = TypeVar("Row")

#: Signs links; nothing depends on it being kept.
_KEY = b"links of the emulator"


@dataclass(frozen=True, slots=True)
class Logged:
    """One request in the log."""

    method: str
    route: str
    path: str
    query: str
    status: int
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Traffic:
    """What clients asked, for assertions."""

    #: Requests by name of their route, refused ones included.
    requests: Counter[str] = field(default_factory=Counter)
    #: Answers by status; 0: the connection was dropped.
    statuses: Counter[int] = field(default_factory=Counter)
    #: Content requests by UUID of the annotation.
    content: Counter[str] = field(default_factory=Counter)
    #: Content requests whose link had expired; and those that carried a credential (there must be none).
    stale: int = 0
    leaked: int = 0
    log: deque[Logged] = field(default_factory=lambda: deque(maxlen=100_000))
    #: Connections that were made, by origin: "api", "storage".
    connections: Counter[str] = field(default_factory=Counter)
    inflight: int = 0
    peak: int = 0

    def clear(self) -> None:
        """Start anew."""
        fresh = Traffic()
        for name in ("requests", "statuses", "content", "stale", "leaked", "log", "connections"):
            setattr(self, name, getattr(fresh, name))
        self.peak = self.inflight

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "content": dict(self.content),
            "stale": self.stale,
            "leaked": self.leaked,
            "connections": dict(self.connections),
            "peak": self.peak,
        }


@dataclass(slots=True)
class Habits:
    """How the server behaves where the documents of the vendor are silent, or it can be told. Change at any time."""

    #: About how many bytes a document has.
    size: int = 2048
    #: Rows of a page.
    page_size: int = 100
    #: Unpaged answers without an envelope.
    bare: bool = False
    #: Cursors are numbers, or text that has to be encoded in a URL.
    cursors: Literal["number", "text"] = "number"
    #: Pages with nothing on them, but a cursor, stand between the others.
    hollow: bool = False
    #: Cursors that lead nowhere: every page names itself as the next.
    stuck: bool = False
    #: Links tell their expiry as Google Cloud Storage does, or nothing.
    links: Literal["goog", "opaque"] = "goog"
    #: Seconds that links live.
    link_seconds: float = 3600.0
    #: So many links, from now on, have ended when they are given out.
    dead_links: int = 0
    #: What storage answers to an expired link.
    stale_status: int = 400
    #: Compress bodies for who accepts that.
    gzip: bool = True
    #: What the listing of an unknown type answers: 404, or an empty page.
    unknown_type: Literal[404, 200] = 404
    #: `sunset-date` headers by name of a route.
    sunsets: dict[str, str] = field(default_factory=dict)
    #: Reject credentials outright: 403 everywhere.
    forbidden: bool = False


@dataclass(slots=True)
class Site:
    """Everything behind the two ports."""

    world: World
    auth: Auth
    habits: Habits
    faults: Faults = field(default_factory=Faults)
    traffic: Traffic = field(default_factory=Traffic)
    storage_url: str = ""

    # --------------------------------------------------------------------------------------- answers

    def whole(self, value: Any) -> Answer:
        """Return an unpaged answer, with or without an envelope."""
        return answer(value) if self.habits.bare else self.enveloped(value)

    def enveloped(self, value: Any) -> Answer:
        """Return an answer that always has an envelope."""
        return answer({"data": value})

    def page(self, call: Call, rows: Sequence[Row], number: Callable[[Row], int], show: Callable[[Row], Any],
             size: int = 0) -> Answer:  # fmt: skip
        """Return a page of rows that stand in the order of their numbers; the cursor is the last number of a page."""
        size = size or self.habits.page_size
        after = self._cursor(call.params.get("cursorId"))
        if self.habits.hollow and after > 0:
            return answer({"data": [], "metadata": {"nextCursorId": self._shown(-after)}})
        after = abs(after)
        rest = [row for row in rows if number(row) > after]
        chosen = rest[:size]
        following = self._shown(number(chosen[-1])) if len(rest) > size else None
        if self.habits.stuck and after:
            following = self._shown(after)
        return answer({"data": [show(row) for row in chosen], "metadata": {"nextCursorId": following}})

    def project(self, name: str) -> Project:
        """Return a project.

        Raises:
            Refused: 404 or 403.
        """
        found = self.world.projects.get(name)
        if found is None:
            raise refusal(404, f"Project {name} does not exist")
        if found.forbidden:
            raise refusal(403, f"You do not have access to project {name}")
        return found

    def _cursor(self, text: str | None) -> int:
        if text is None:
            return 0
        try:
            if self.habits.cursors == "text":
                return int(base64.b64decode(text.removeprefix("+/="), validate=True))
            return int(text)
        except ValueError:
            raise refusal(400, "cursorId is not valid") from None

    def _shown(self, number: int) -> int | str:
        # Signs that mean something else in a query, so that clients have to encode them.
        return number if self.habits.cursors == "number" else "+/=" + base64.b64encode(b"%d" % number).decode()

    # --------------------------------------------------------------------------------------- links

    def link(self, annotation: Annotation, *, iso: bool = False) -> tuple[str, datetime]:
        """Return a link to an annotation's document, and when it ends."""
        begun, seconds = datetime.now(UTC), self.habits.link_seconds
        if self.habits.dead_links:
            self.habits.dead_links -= 1
            begun -= timedelta(seconds=seconds + 1)
        ends = begun + timedelta(seconds=seconds)
        millis = f"{int(ends.timestamp() * 1000):012x}"
        name = f"{annotation.uuid}{'.iso' if iso else ''}.json"
        signature = millis + sign(name, millis)
        if self.habits.links == "opaque":
            return f"{self.storage_url}/o/{base64.urlsafe_b64encode(name.encode()).decode()}?sig={signature}", ends
        query = {
            "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
            "X-Goog-Credential": f"robot@example.iam.gserviceaccount.com/{begun:%Y%m%d}/auto/storage/goog4_request",
            "X-Goog-Date": f"{begun:%Y%m%dT%H%M%SZ}",
            "X-Goog-Expires": str(ceil(seconds)),
            "X-Goog-SignedHeaders": "host",
            "X-Goog-Signature": signature,
        }
        return f"{self.storage_url}/annotations-bucket/{name}?{urlencode(query)}", ends


def sign(name: str, millis: str) -> str:
    """Return the signature of a link."""
    return hmac.new(_KEY, f"{name} {millis}".encode(), hashlib.sha256).hexdigest()


Handler = Callable[[Site, Call], Answer]
