"""Tokens: one for all who share an account, renewed in time, and never given to anybody else."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import pytest

from syncer.model.errors import BadBody, HttpError, PermissionRefused, Unavailable
from syncer.model.secret import Secret
from syncer.ports import Request
from syncer.sources.kognic.auth import PATH, TokenAuth
from syncer.sources.kognic.credentials import Lookup
from syncer.sources.kognic.options import KognicOptions
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp, refusal

API, AUTH = "https://input.app.example", "https://auth.app.example"


class Service(FakeHttp):
    """Gives tokens with growing numbers."""

    def __init__(self, **answer: Any) -> None:
        super().__init__()
        self.answer = {"token_type": "Bearer", "expires_in": 3600, **answer}
        self.forms: list[dict[str, str]] = []
        self.refuse: dict[str, HttpError] = {}
        self.on(PATH, self.give, "POST")
        self.on("/v1/projects", [])

    def give(self, request: Request) -> object:
        """Answer a grant."""
        assert request.auth is None
        assert request.url == f"{AUTH}{PATH}"
        form: Sequence[tuple[str, str]] = request.form or ()
        self.forms.append(dict(form))
        if (grant := self.forms[-1]["grant_type"]) in self.refuse:
            return self.refuse[grant]
        return {"access_token": f"token-{len(self.forms)}", **self.answer}

    @property
    def grants(self) -> list[str]:
        """What was asked for."""
        return [form["grant_type"] for form in self.forms]


def auth_of(http: FakeHttp, clock: InstantClock | None = None, secret: str = "secret", **options: Any) -> TokenAuth:
    """Return the authenticator of an account; every test has accounts of its own."""
    account = {"client_id": f"id-{id(http)}", "client_secret": Secret.literal(secret)}
    used = clock or InstantClock()
    return TokenAuth(Lookup(KognicOptions(url=API, **account, **options), used), http, used)


async def test_id_and_secret_go_to_the_token_service_alone() -> None:
    """The body is the form that the vendor's client sends; the token may be shown to the API's own services only."""
    http = Service()
    auth = auth_of(http)
    assert await auth.headers() == {"Authorization": "Bearer token-1"}
    assert http.forms == [
        {"grant_type": "client_credentials", "client_id": f"id-{id(http)}", "client_secret": "secret"}
    ]
    services = ("input", "project-management", "annotation-integration")
    assert auth.origins == frozenset(f"https://{name}.app.example" for name in services)


async def test_many_who_wait_cause_one_grant() -> None:
    """Requests that start together, from several sources of one account, share one token."""
    http = Service()
    auths = [auth_of(http) for _ in range(3)]
    seen: list[str] = []

    async def ask(auth: TokenAuth) -> None:
        seen.append((await auth.headers())["Authorization"])

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(partial(ask, auths[number % 3]))
    assert set(seen) == {"Bearer token-1"}
    assert http.grants == ["client_credentials"]
    await auth_of(http, secret="another").headers()
    assert len(http.grants) == 2


async def test_a_token_is_renewed_before_it_ends() -> None:
    """The last minute is not used; of short lives the last quarter is not."""
    for life, fine, late in ((3600, 3539, 2), (8, 5, 2)):
        http, clock = Service(expires_in=life), InstantClock()
        auth = auth_of(http, clock)
        await auth.headers()
        clock.seconds += fine
        assert await auth.headers() == {"Authorization": "Bearer token-1"}
        clock.seconds += late
        assert await auth.headers() == {"Authorization": "Bearer token-2"}


async def test_a_moment_of_expiry_is_read_by_the_services_clock() -> None:
    """Where only `expires_at` is told, it counts from the answer's own date."""
    http, clock = Service(expires_in=None), InstantClock()
    assert http.date is not None
    http.answer["expires_at"] = int(http.date.timestamp()) + 100
    auth = auth_of(http, clock)
    await auth.headers()
    clock.seconds = 74
    await auth.headers()
    assert len(http.grants) == 1
    clock.seconds = 76
    await auth.headers()
    assert len(http.grants) == 2


async def test_a_token_that_tells_no_end_is_kept() -> None:
    """It is used until a 401."""
    http, clock = Service(expires_in=None), InstantClock()
    auth = auth_of(http, clock)
    held = await auth.headers()
    clock.seconds = 1e9
    assert await auth.headers() == held
    assert await auth.renew(held)
    assert await auth.headers() == {"Authorization": "Bearer token-2"}


async def test_a_refresh_token_is_used_and_done_without_when_refused() -> None:
    """Renewing trades the refresh token; a refusal of it leads to a new grant, as the vendor's client does it."""
    http, clock = Service(refresh_token="refresh-1", expires_in=100), InstantClock()
    auth = auth_of(http, clock)
    await auth.headers()
    clock.seconds += 80
    await auth.headers()
    assert (http.grants[-1], http.forms[-1]["refresh_token"]) == ("refresh_token", "refresh-1")
    http.refuse["refresh_token"] = refusal(401, {"error": "invalid_token"})
    clock.seconds += 80
    assert await auth.headers() == {"Authorization": "Bearer token-4"}
    assert http.grants[-2:] == ["refresh_token", "client_credentials"]


async def test_a_401_renews_once_for_all() -> None:
    """Whoever was refused with a token that is replaced already gets the new one without a grant."""
    http = Service(refresh_token="refresh-1")
    auth = auth_of(http)
    held = await auth.headers()
    assert await auth.renew(held)
    assert await auth.renew(held)
    assert http.grants == ["client_credentials", "client_credentials"]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_refused_credentials_are_explained(status: int) -> None:
    """The service's words and the place of the credentials are named, the secret is not."""
    http = Service()
    http.refuse["client_credentials"] = refusal(status, {"error": "invalid_client", "error_description": "no such id"})
    with pytest.raises(PermissionRefused, match="invalid_client: no such id") as caught:
        await auth_of(http, secret="very-secret").headers()
    assert "very-secret" not in f"{caught.value} {caught.value.hint}"


async def test_a_service_that_is_away_is_no_refusal() -> None:
    """Its error passes as it is; the next request tries again."""
    http = Service()
    http.refuse["client_credentials"] = refusal(503)
    auth = auth_of(http)
    with pytest.raises(Unavailable):
        await auth.headers()
    http.refuse.clear()
    assert await auth.headers() == {"Authorization": "Bearer token-2"}


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"access_token":"a","token_type":"mac"}', b"<html>", b"7"])
async def test_an_answer_without_a_token_is_none(answer: bytes) -> None:
    """What is no token answer is said to be none."""
    http = Service()
    http.on(PATH, answer, "POST")
    with pytest.raises(BadBody):
        await auth_of(http).headers()


async def test_a_secret_that_was_changed_is_read_again_after_a_401() -> None:
    """A rotated secret is used without a restart; the new account has a token of its own."""
    http, secrets = Service(), ["old-secret"]
    options = KognicOptions(url=API, client_id=f"id-{id(http)}", client_secret=Secret(lambda: secrets[-1], "file:x"))
    clock = InstantClock()
    auth = TokenAuth(Lookup(options, clock), http, clock)
    held = await auth.headers()
    secrets.append("new-secret")
    assert await auth.renew(held)
    assert await auth.renew(held)
    assert [form["client_secret"] for form in http.forms] == ["old-secret", "new-secret"]
    assert await auth.headers() == {"Authorization": "Bearer token-2"}


async def test_a_life_without_end_is_no_accident() -> None:
    """A service that promises more seconds than a number holds gives a token that tells no end."""
    http = Service(expires_in=10**400)
    assert await auth_of(http, InstantClock()).headers() == {"Authorization": "Bearer token-1"}
