"""The way in for people: a form that takes the token once, and the way out."""

from http import HTTPStatus

from aiohttp import web

from syncer.serve.files import Assets
from syncer.serve.gate import Gate
from syncer.serve.html import Markup, document, element
from syncer.serve.origins import behind_https
from syncer.serve.problems import Refused
from syncer.serve.sessions import give_cookie, take_cookie


class Login:
    """Handlers of `/login` and `/logout`."""

    def __init__(self, gate: Gate, assets: Assets) -> None:
        """Take the gate, which knows the token and the sessions."""
        self._gate = gate
        self._assets = assets

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the form, or lead on who needs none."""
        if self._gate.token is None or self._gate.signed_in(request):
            raise web.HTTPSeeOther("/")
        return _html(self._form(None), HTTPStatus.OK)

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Take the token; begin a session."""
        if self._gate.token is None:
            raise web.HTTPSeeOther("/")
        said = (await request.post()).get("token")
        try:
            right = isinstance(said, str) and await self._gate.shows_token(request, said.strip())
        except Refused as refused:
            response = _html(self._form(f"{refused.detail.capitalize()}."), refused.status)
            response.headers.update(refused.headers)
            return response
        if not right:
            return _html(self._form("This is not the token."), HTTPStatus.FORBIDDEN)
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
        give_cookie(response, self._gate.cookie, self._gate.sessions.open(), secure=behind_https(request))
        return response

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """End the session."""
        self._gate.sessions.end(request.cookies.get(self._gate.cookie))
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/login"})
        take_cookie(response, self._gate.cookie)
        return response

    def _form(self, wrong: str | None) -> Markup:
        described = "token-wrong" if wrong else "token-where"
        form = element(
            "form",
            element("label", "Token", for_="token"),
            element(
                "input", type="password", id="token", name="token", required=True, autocomplete="current-password",
                autofocus=True, aria_describedby=described, aria_invalid="true" if wrong else None,
            ),
            element("button", "Sign in", type="submit"),
            method="post",
            action="/login",
        )  # fmt: skip
        card = element(
            "div",
            element("h1", "syncer"),
            element(
                "p",
                "The token stands in the configuration, under ",
                element("code", "serve.ui.token"),
                ".",
                id="token-where",
            ),
            element("p", wrong, id="token-wrong", class_="alarm", role="alert") if wrong else None,
            form,
            class_="card",
        )
        return document(
            "Sign in · syncer", self._assets.head(script=False), element("body", element("main", card, class_="login"))
        )


def _html(body: Markup, status: HTTPStatus) -> web.Response:
    return web.Response(text=body, status=status, content_type="text/html")
