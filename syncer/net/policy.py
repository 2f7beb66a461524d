"""The stack around every request, put together in this one place: retry(redirect(auth(limit(send)))).

Credentials are fetched before a slot is taken, because renewing one is itself a request through this stack: with all
slots held by requests that wait for the same new token, nobody could fetch it.
"""

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from aiohttp import FormData

from syncer.model.errors import HttpError, Unauthorized, Unsafe
from syncer.model.events import Emit, RequestEnded
from syncer.net import classify, redact
from syncer.net.answer import Answer
from syncer.net.call import Call, Receiver
from syncer.net.classify import NETWORK_ERRORS, Retryable
from syncer.net.decode import first_bytes
from syncer.net.guard import MAX_HOPS, Guard
from syncer.net.network import Network
from syncer.net.reply import Reply
from syncer.net.retry import Patience, impatient, retry
from syncer.net.routes import Routes
from syncer.net.transport import Transport
from syncer.ports import Clock, Quotas, Request, Response, Share, whole

T = TypeVar("T")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONDITIONAL = frozenset({"if-none-match", "if-modified-since"})


class _Redirected:
    """Says that the call now points elsewhere."""


_REDIRECTED = _Redirected()


class Policy:
    """Limits, credentials, redirects and retries of one client."""

    def __init__(
        self, network: Network, guard: Guard, transport: Transport, clock: Clock, emit: Emit, share: Share = whole,
        quotas: Quotas | None = None,
    ) -> None:  # fmt: skip
        """Take the parts; nothing is sent yet."""
        self._guard = guard
        self._routes = Routes(network, guard, transport, clock, emit, share, quotas)
        self._clock = clock
        self._emit = emit
        self._platform = network.platform
        self._silence = network.read_timeout
        self._patience = Patience(network.attempts, network.retry_budget)
        self._shown: Mapping[str, str] | None = None

    def relimit(self, network: Network) -> None:
        """Take other limits; requests under way go on by the old ones."""
        self._silence = network.read_timeout
        self._patience = Patience(network.attempts, network.retry_budget)
        self._routes.relimit(network)

    def close(self) -> None:
        """Leave limits that are shared to others; nothing is sent afterwards."""
        self._routes.close()

    async def run(self, request: Request, receiver: Receiver[T]) -> T:
        """Return what the receiver makes of the first good answer.

        Raises:
            HttpError: there is none.
        """
        call = Call(request, receiver, self._routes)
        try:
            if request.auth is not None:
                return await self._attempt(call)
            outcome = await self._limited(call, None)
            if not isinstance(outcome, _Redirected):
                return outcome
            return await self._attempt(call, hops=1)
        except Retryable as error:
            failure = error
        call.restart()
        if impatient():
            raise failure.final(1, None)
        patience = self._patience
        if request.attempts is not None:
            patience = Patience(request.attempts, patience.budget, strict=True)
        return await retry(
            self._attempt,
            call,
            failure,
            patience,
            origin=call.route.origin,
            paused=call.route.limits.pause_left,
            clock=self._clock,
            emit=self._emit,
            platform=self._platform,
        )

    async def _attempt(self, call: Call[T], hops: int = 0) -> T:
        if not hops:
            call.restart()
        for _ in range(hops, MAX_HOPS + 1):
            outcome = await self._authorized(call)
            if not isinstance(outcome, _Redirected):
                return outcome
        message = f"{call.label}: more than {MAX_HOPS} redirects"
        raise Unsafe(message, hint="the platform sends us in circles; check its url")

    async def _authorized(self, call: Call[T]) -> T | _Redirected:
        auth = call.request.auth
        if auth is None:
            return await self._limited(call, None)
        if not call.route.own:
            try:
                return await self._limited(call, None)
            except Unauthorized as error:
                error.hint = f"the credential is not meant for {call.route.origin}, so it was not sent there"
                raise
        credential = await auth.headers()
        self._remember(credential)
        try:
            return await self._limited(call, credential)
        except Unauthorized:
            if call.renewed or not await auth.renew(credential):
                raise
        call.renewed = True
        credential = await auth.headers()
        self._remember(credential)
        return await self._limited(call, credential)

    async def _limited(self, call: Call[T], credential: Mapping[str, str] | None) -> T | _Redirected:
        route, monotonic = call.route, self._clock.monotonic
        limits, method, receiver = route.limits, call.method, call.receiver
        sent = entered = monotonic()
        paced = False
        if not limits.enter_nowait():
            paced = await limits.enter()
            sent = monotonic()
        status = receiver.size = 0
        try:
            if call.request.link is not None:
                await call.aim(self._routes)
                sent = monotonic()
            try:
                response = await self._send(call, credential)
                status = response.status
                taken = _taken(call, response) if status == 200 else None  # noqa: PLR2004  # RFC 9110 §15.3.1
                if taken is not None:
                    outcome: T | _Redirected = taken
                else:
                    outcome = await self._received(call, response)
            except NETWORK_ERRORS as error:
                # Nothing of the library's exception goes on: it knows the whole URL and all headers.
                raise classify.exception_failure(call.label, error) from None
            limits.answered(entered, sent, paced=paced)
        except Retryable as failure:
            receiver.failed(failure)
            if failure.rule.throttled:
                limits.refused(entered, sent, failure.retry_after)
            elif failure.rule.congested or failure.retry_after is not None:
                limits.congested(sent, failure.retry_after)
            raise
        except HttpError:
            limits.answered(entered, sent, paced=paced)
            raise
        finally:
            limits.leave()
            self._emit(
                RequestEnded(
                    route.origin,
                    method,
                    status,
                    monotonic() - sent,
                    receiver.size,
                    self._platform,
                    route.purpose,
                    call.label,
                )
            )
        return outcome

    def _send(self, call: Call[T], credential: Mapping[str, str] | None) -> Awaitable[Answer]:
        request, receiver, route = call.request, call.receiver, call.route
        # What the caller added was meant for where the request began.
        headers: Mapping[str, str] | None = request.headers if request.headers and not call.moved else None
        extra = receiver.headers()
        if extra is not None:
            headers = {**headers, **extra} if headers else extra
        if credential is not None:
            headers = {**headers, **credential} if headers else credential
        elif route.direct is not None and call.method == "GET" and receiver.timeout.total is None:
            return route.direct.get(call.target, headers, self._silence)
        return route.session.request(
            call.method,
            call.url,
            headers=headers,
            json=request.json if call.method == "POST" else None,
            data=_data(request) if call.method == "POST" else None,
            allow_redirects=False,
            proxy=route.proxy,
            timeout=receiver.timeout,
        )

    async def _received(self, call: Call[T], response: Answer) -> T | _Redirected:
        request, status, headers = call.request, response.status, response.headers
        try:
            if 200 <= status < 300 or (status == 304 and _conditional(request)):  # noqa: PLR2004  # RFC 9110 §15.3, §15.4.5
                expect = request.expect
                if expect is not None and not classify.media_matches(headers.get("Content-Type"), expect):
                    kind = (headers.get("Content-Type") or "").partition(";")[0][:60]
                    reason = f"{expect} was expected, {kind} came (a proxy's or a login page?)"
                    raise classify.bad_body(
                        call.label, reason, status=status, body=await first_bytes(response, self._silence)
                    )
                received = await call.receiver.receive(response, call.text, call.label)
                if isinstance(received, Response):
                    self._judge(call, status, headers, received.body)
                return received
            body = await first_bytes(response, self._silence)
            if status in _REDIRECTS and (location := headers.get("Location")):
                method, target = self._guard.redirect(call.method, status, call.url, location)
                call.follow(method, target, self._routes)
                return _REDIRECTED
            self._judge(call, status, headers, body)
            raise classify.status_failure(call.label, status, headers, body, self._clock.now())
        finally:
            if not response.closed:
                response.release()

    def _judge(self, call: Call[T], status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raise what the platform itself reports in a body, if the request says how to read that."""
        judge = call.request.judge
        judgement = judge(status, body) if judge is not None else None
        if judgement is not None:
            raise classify.judged_failure(call.label, status, headers, body, judgement, self._clock.now())

    def _remember(self, credential: Mapping[str, str]) -> None:
        if credential is self._shown:
            return
        self._shown = credential
        for value in credential.values():
            redact.remember(value)
            redact.remember(value.rpartition(" ")[2])


def _taken(call: Call[T], response: Answer) -> T | None:
    """Take a document that came whole over the shorter way."""
    if not isinstance(response, Reply) or not response.complete or call.request.expect is not None:
        return None
    outcome = call.receiver.whole(response)
    if outcome is not None:
        response.release()
    return outcome


def _data(request: Request) -> FormData | bytes | None:
    return FormData(request.form) if request.form is not None else request.body


def _conditional(request: Request) -> bool:
    return any(name.lower() in _CONDITIONAL for name in request.headers)
