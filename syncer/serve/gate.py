"""What every request to the `ui` listener passes: its host, who sends it, where from; and what every answer carries."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from syncer.model.errors import SyncerError
from syncer.model.events import Emit, Warned
from syncer.model.secret import Secret
from syncer.serve.attempts import Attempts
from syncer.serve.origins import READING, Origins
from syncer.serve.problems import Refused, problem, refusal
from syncer.serve.sessions import Sessions, bearer, cookie_name, shown

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Everything comes from here, nothing is framed, nothing runs that is not a file of ours.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: then forms would be sent with `Origin: null`, and could not be told from those of others.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

#: The stream that a request is answered with, once it has begun.
STREAM = web.RequestKey("stream", web.StreamResponse)

#: Seen by everybody who reaches the listener: the way in, and nothing of the data.
_OPEN = ("/login", "/assets/")
#: Guarded by a secret of their own.
_HOOKS = "/hooks/"


class Gate:
    """The middleware, and who has passed it."""

    def __init__(
        self, token: Secret | None, origins: Origins, sessions: Sessions, attempts: Attempts, emit: Emit
    ) -> None:
        """Take what is known; `token` is None where everybody who reaches the listener may look."""
        self.token = token
        self.sessions = sessions
        self.attempts = attempts
        self._origins = origins
        self._emit = emit
        #: Name of the session cookie; known once the port is.
        self.cookie = cookie_name(0)

    def signed_in(self, request: web.Request) -> bool:
        """Tell whether a request belongs to a session."""
        return self.token is not None and self.sessions.holds(request.cookies.get(self.cookie))

    async def shows_token(self, request: web.Request, said: str) -> bool:
        """Tell whether somebody said the token; counts failures.

        Raises:
            Refused: 429, this address was wrong too often.
        """
        return self.token is not None and await self.shows(self.token, request, said)

    async def shows(self, secret: Secret, request: web.Request, said: str) -> bool:
        """Tell whether somebody said a secret; counts failures.

        Raises:
            Refused: 429, this address was wrong too often.
        """
        wait = self.attempts.wait(request.remote)
        if wait:
            detail = f"too many wrong secrets from this address; wait {wait:.0f} s"
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, detail, Retry_After=f"{max(1.0, wait):.0f}")
        if await shown(secret, said):
            return True
        self.attempts.failed(request.remote)
        return False

    @web.middleware
    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or say why not; no error gets out of here but as a problem."""
        try:
            response = await self._admitted(request, handler)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                response = web.Response(status=error.status, headers={"Location": error.headers["Location"]})
            else:
                response = refusal(error) or problem(error.status)
        except Exception as error:  # noqa: BLE001  # whatever a visitor brings about stays the visitor's
            found = refusal(error)
            if found is None or (isinstance(error, SyncerError) and found.status == HTTPStatus.INTERNAL_SERVER_ERROR):
                self._emit(Warned(f"{request.method} {request.path[:80]}: {type(error).__name__}: {error}"))
            answer = found or problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug; the daemon's log says more")
            # A stream that has begun can only end: what were sent now would stand in its middle.
            response = request.get(STREAM, answer)
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        if path.startswith(_HOOKS):
            return await handler(request)
        if not self._origins.answers(request):
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "this name is not one of ours; list it under serve.ui.hosts")
        program = await self._program(request)
        if request.method not in READING and not program and not self._origins.own(request):
            raise Refused(
                HTTPStatus.FORBIDDEN, "what changes something needs a bearer token, or `Origin` with this very address"
            )
        if self.token is None or program or path.startswith(_OPEN) or self.signed_in(request):
            return await handler(request)
        if path == "/" and request.method in READING:
            raise web.HTTPSeeOther("/login")
        raise Refused(HTTPStatus.UNAUTHORIZED, "a token is needed", WWW_Authenticate='Bearer realm="syncer"')

    async def _program(self, request: web.Request) -> bool:
        said = bearer(request)
        if said is None or self.token is None:
            return False
        if not await self.shows_token(request, said):
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "this token is not the right one",
                WWW_Authenticate='Bearer realm="syncer", error="invalid_token"',
            )  # fmt: skip
        return True
