"""One request on its way through the stack, and what takes its answer."""

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from syncer.model.errors import Unsafe
from syncer.net.answer import Answer
from syncer.net.classify import Label, Retryable
from syncer.net.guard import read_url
from syncer.net.reply import Reply
from syncer.net.routes import Route, Routes
from syncer.ports import Request

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_METHODS = frozenset({"GET", "POST"})


class Receiver(Protocol[T_co]):
    """Takes the body of a good answer; may span several attempts."""

    #: Bytes received in the present attempt.
    size: int
    timeout: aiohttp.ClientTimeout

    def headers(self) -> Mapping[str, str] | None:
        """Begin an attempt; return what it asks for beyond the request (a range)."""

    def whole(self, response: Reply) -> T_co | None:
        """Take a good answer at once, if all of it is here and nothing has to be decided; None: `receive` it."""

    async def receive(self, response: Answer, url: str, label: Label) -> T_co:
        """Read the body."""

    def failed(self, failure: Retryable) -> None:
        """Settle what is kept of a failed attempt, and note progress in `failure`."""


class Call(Generic[T]):
    """A request, where it is being sent at the moment, and its receiver."""

    __slots__ = (
        "_sent", "_start", "label", "method", "moved", "receiver", "renewed", "request", "route", "target", "text",
    )  # fmt: skip

    def __init__(self, request: Request, receiver: Receiver[T], routes: Routes) -> None:
        """Build the URL, and decide whether it may be opened.

        Raises:
            Unsafe: it may not, or it is no read.
        """
        if request.method not in _METHODS:
            message = f"a source sends GET and listed POST calls, nothing else ({request.method[:20]!r})"
            raise Unsafe(message)
        text = request.url
        if request.params:
            text += ("&" if "?" in text else "?") + urlencode(request.params, quote_via=quote)
        self.request = request
        self.receiver = receiver
        self.label = Label(request.method, text)
        self.method = request.method
        self.text = text
        self.route: Route
        #: Path and query, as they are sent.
        self.target: str
        self.route, self.target = routes.find(text, request)
        self._sent = text
        #: A redirect led to another origin.
        self.moved = False
        #: The credential was renewed once; a second 401 is final.
        self.renewed = False
        self._start = text, self.route, self.target

    def restart(self) -> None:
        """Go back to where the request began: what a redirect led to may have expired."""
        self.method = self.request.method
        self.moved = False
        self.text, self.route, self.target = self._start
        self._sent = self.text

    @property
    def url(self) -> URL:
        """Where it is sent."""
        return read_url(self._sent)

    async def aim(self, routes: Routes) -> None:
        """Point to the request's link of this moment, where it has one and no redirect leads elsewhere.

        Raises:
            Unsafe: it may not be opened.
            HttpError: there is none.
        """
        link = self.request.link
        if link is not None and self.text == self._start[0]:
            text = await link()
            _, self.target = routes.find(text, self.request)
            self._sent = text

    def follow(self, method: str, text: str, routes: Routes) -> None:
        """Point to where a redirect leads.

        Raises:
            Unsafe: it may not be opened.
        """
        self.method, self.text = method, text
        self.route, self.target = routes.find(text, self.request)
        self._sent = text
        self.moved = self.moved or self.route.origin != self._start[1].origin
