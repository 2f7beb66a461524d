"""Tokens: legacy ones as they are, personal ones through renewed access tokens."""

import base64
import json
from datetime import UTC, datetime

import anyio
import pytest

from syncer.model.errors import BadBody, PermissionRefused, Unauthorized
from syncer.model.secret import Secret
from syncer.ports import Request
from syncer.sources.label_studio.auth import TokenAuth, hint_for
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp, refusal

URL = "https://studio.example.com"
PAT = "eyJhbGciOiJub25lIn0.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
SERVER_TIME = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def access(number: int, life: float = 300) -> str:
    """Return an access token that lives so many seconds by the server's clock."""
    now = SERVER_TIME.timestamp()
    claims = {"iat": now, "exp": now + life, "jti": number}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.sig{number}"


class Server(FakeHttp):
    """Gives access tokens with growing numbers."""

    def __init__(self, life: float = 300) -> None:
        super().__init__(date=SERVER_TIME)
        self.given = 0
        self.life = life
        self.on("/api/token/refresh/", self.give, "POST")
        self.on("/api/thing/", {})

    def give(self, request: Request) -> object:
        """Answer a refresh."""
        assert request.json == {"refresh": PAT}
        assert request.auth is None
        self.given += 1
        return {"access": access(self.given, self.life)}


def auth_of(token: str, http: FakeHttp, clock: InstantClock | None = None) -> TokenAuth:
    """Return the authenticator of a token."""
    return TokenAuth(Secret.literal(token), URL, http, clock or InstantClock())


async def test_a_legacy_token_is_sent_as_it_is() -> None:
    """Without two dots it goes into a Token header, and no request is made for it."""
    http = FakeHttp()
    auth = auth_of("0123456789abcdef", http)
    assert await auth.headers() == {"Authorization": "Token 0123456789abcdef"}
    assert auth.origins == frozenset({URL})
    assert http.requests == []


async def test_a_personal_token_buys_access_once_for_all_who_wait() -> None:
    """Many requests that start together cause one refresh."""
    http = Server()
    auth = auth_of(PAT, http)
    seen: list[str] = []

    async def ask() -> None:
        seen.append((await auth.headers())["Authorization"])

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert set(seen) == {f"Bearer {access(1)}"}
    assert http.given == 1


async def test_access_is_renewed_before_it_expires_by_the_servers_clock() -> None:
    """The life of a token is counted on our monotonic clock from the server's words; the last minute is not used."""
    http, clock = Server(), InstantClock()
    auth = auth_of(PAT, http, clock)
    await auth.headers()
    clock.seconds += 239
    await auth.headers()
    assert http.given == 1
    clock.seconds += 2
    assert await auth.headers() == {"Authorization": f"Bearer {access(2)}"}


async def test_tokens_that_live_seconds_still_serve_for_most_of_their_life() -> None:
    """The margin shrinks with the life of a token."""
    http, clock = Server(life=8), InstantClock()
    auth = auth_of(PAT, http, clock)
    await auth.headers()
    clock.seconds += 5
    await auth.headers()
    assert http.given == 1
    clock.seconds += 2
    await auth.headers()
    assert http.given == 2


async def test_a_401_renews_once_and_whoever_comes_later_takes_the_new_one() -> None:
    """Two requests rejected with the same access token cause one refresh."""
    http = Server()
    auth = auth_of(PAT, http)
    old = await auth.headers()
    assert await auth.renew(old)
    assert await auth.renew(old)
    assert http.given == 2
    assert await auth.headers() == {"Authorization": f"Bearer {access(2)}"}


async def test_a_legacy_token_is_read_again_after_a_401() -> None:
    """A file that was replaced gives another token; an unchanged one gives up."""
    value = ["old-token"]
    auth = TokenAuth(Secret(lambda: value[0], "file:token"), URL, FakeHttp(), InstantClock())
    old = await auth.headers()
    assert not await auth.renew(old)
    value[0] = "new-token"
    assert await auth.renew(old)
    assert await auth.headers() == {"Authorization": "Token new-token"}


@pytest.mark.parametrize(
    ("detail", "word"),
    [
        ("Token is blacklisted", "revoked"),
        ("Token is invalid", "copy it again"),
        ("Token has expired", "expired"),
        ("Token has wrong type", "access token"),
        ("something else", "check the token"),
    ],
)
async def test_a_refused_refresh_says_what_to_do(detail: str, word: str) -> None:
    """Each kind of refusal has a hint of its own, and none shows the token."""
    http = FakeHttp()
    http.on("/api/token/refresh/", refusal(401, {"detail": detail}), "POST")
    with pytest.raises(PermissionRefused) as caught:
        await auth_of(PAT, http).headers()
    assert caught.value.hint is not None
    assert word in caught.value.hint
    assert PAT not in str(caught.value) + caught.value.hint


def test_hints_know_the_words_of_a_switched_off_legacy_token() -> None:
    """The most common surprise of a stock server, also after redaction of the words behind it."""
    words = "Authentication token no longer valid: legacy token *** has been disabled for this organization"
    assert "personal access token" in hint_for(words)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"access":1}', b'{"token":"x"}'])
async def test_an_answer_without_access_is_named_as_such(body: bytes) -> None:
    """Another server behind the url does not end in a riddle."""
    http = FakeHttp()
    http.on("/api/token/refresh/", body, "POST")
    with pytest.raises(BadBody, match="no access token"):
        await auth_of(PAT, http).headers()


@pytest.mark.parametrize("token", ["a.b.c", "eyJ.!!!.x", "eyJh.bnVsbA.x"])
async def test_an_access_token_of_unknown_life_counts_as_short_lived(token: str) -> None:
    """What can't be read lives as long as the usual one."""
    http, clock = FakeHttp(), InstantClock()
    http.on("/api/token/refresh/", {"access": token}, "POST")
    auth = auth_of(PAT, http, clock)
    await auth.headers()
    clock.seconds += 241
    await auth.headers()
    assert http.paths().count("POST /api/token/refresh/") == 2


async def test_a_server_that_never_accepts_is_an_error_after_one_renewal() -> None:
    """A request is tried with two access tokens, not for ever."""
    http = Server()
    http.on("/api/thing/", refusal(401, {"detail": "Authentication credentials were not provided."}))
    with pytest.raises(Unauthorized):
        await http.fetch(Request(f"{URL}/api/thing/", auth=auth_of(PAT, http)))
    assert http.given == 2
