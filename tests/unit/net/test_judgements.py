"""Failures that a platform reports in the body of an answer, with whatever HTTP status."""

import json

import pytest
from aiohttp import web

from syncer.model.errors import Forbidden, HttpError, NotFound, Rejected, Unauthorized, Unavailable
from syncer.model.events import Retrying, Throttled
from syncer.net.network import Network
from syncer.ports import Judgement, Meaning, Request
from tests.support.servers import in_turn, serving
from tests.support.web import Token, opened


def judge(status: int, body: bytes) -> Judgement | None:
    """Read `{"meaning": …}`."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return Judgement(Meaning(value["meaning"]), f"said {value['meaning']}") if "meaning" in value else None


def said(meaning: Meaning, status: int = 200, **headers: str) -> web.Response:
    """Return an answer that reports a failure."""
    return web.json_response({"meaning": str(meaning)}, status=status, headers=headers)


FINE = web.json_response({"rows": []})


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500])
async def test_rule_22_throttling_by_code_slows_the_origin_down(status: int) -> None:
    """With 200 or any other status: the origin pauses, the rate comes under control, and the request succeeds."""
    async with serving(in_turn(said(Meaning.THROTTLED, status), FINE)) as server, opened(Network(server.url)) as client:
        answer = await client.http.fetch(Request(f"{server.url}/x", judge=judge))
        assert answer.body == b'{"rows": []}'
        assert client.heard(Throttled)


async def test_the_servers_wish_for_a_pause_is_honoured() -> None:
    """`Retry-After` beside a code counts as beside a 429."""
    answers = in_turn(said(Meaning.THROTTLED, 200, **{"Retry-After": "40"}), FINE)
    async with serving(answers) as server, opened(Network(server.url)) as client:
        await client.http.fetch(Request(f"{server.url}/x", judge=judge))
        assert client.clock.seconds >= 40


@pytest.mark.parametrize(
    ("meaning", "error", "requests"),
    [
        (Meaning.SPENT, Unavailable, 1), (Meaning.FORBIDDEN, Forbidden, 1), (Meaning.MISSING, NotFound, 1),
        (Meaning.REJECTED, Rejected, 1), (Meaning.FAILED, Unavailable, 3), (Meaning.AWAY, Unavailable, 4),
    ],
)  # fmt: skip
async def test_each_meaning_is_one_error(meaning: Meaning, error: type[HttpError], requests: int) -> None:
    """What another attempt can heal is tried again, the rest never; the message has the platform's words."""
    async with serving(in_turn(said(meaning))) as server, opened(Network(server.url, attempts=4)) as client:
        with pytest.raises(error, match=f"answered 200, said {meaning}"):
            await client.http.fetch(Request(f"{server.url}/x", judge=judge))
        assert len(server.requests) == requests
        assert len(client.heard(Retrying)) == requests - 1


async def test_a_refused_credential_is_renewed_once() -> None:
    """A code that says so counts as a 401: another credential is fetched, and the request goes on."""
    async with serving(in_turn(said(Meaning.UNAUTHORIZED), FINE)) as server, opened(Network(server.url)) as client:
        token = Token(server.url, tokens=("first-token", "second-token"))
        await client.http.fetch(Request(f"{server.url}/x", judge=judge, auth=token))
        assert token.renewals == 1
    async with serving(in_turn(said(Meaning.UNAUTHORIZED))) as server, opened(Network(server.url)) as client:
        with pytest.raises(Unauthorized):
            await client.http.fetch(Request(f"{server.url}/x", judge=judge, auth=Token(server.url)))


async def test_without_a_word_the_status_decides() -> None:
    """A body that says nothing leaves a 404 what it is, and a 200 a success."""
    page = web.Response(status=404, text="<html>", content_type="text/html")
    async with serving(in_turn(page, FINE)) as server, opened(Network(server.url)) as client:
        with pytest.raises(NotFound, match="answered 404"):
            await client.http.fetch(Request(f"{server.url}/x", judge=judge))
        assert (await client.http.fetch(Request(f"{server.url}/x", judge=judge))).status == 200


async def test_rule_24_the_platforms_words_are_redacted() -> None:
    """A credential that a platform repeats in its words is in no message."""

    def telltale(status: int, body: bytes) -> Judgement | None:
        return Judgement(Meaning.REJECTED, "key very-secret-token is odd")

    async with serving(in_turn(FINE)) as server, opened(Network(server.url)) as client:
        token = Token(server.url, tokens=("very-secret-token",))
        with pytest.raises(Rejected) as caught:
            await client.http.fetch(Request(f"{server.url}/x", judge=telltale, auth=token))
        assert "very-secret-token" not in str(caught.value)
