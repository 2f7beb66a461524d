"""Who may visit the `ui` listener, under which names, and from which pages."""

import pytest
from pydantic import ValidationError

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.serve.attempts import ADDRESSES, ALLOWED, WINDOW, Attempts
from syncer.serve.gate import HEADERS
from syncer.serve.sessions import LONGEST, SESSIONS, Sessions
from syncer.serve.ui import MAX_BODY, open_ui
from syncer.settings.daemon import UiOptions
from tests.support.clock import InstantClock
from tests.support.desk import lively
from tests.support.visitor import TOKEN, visiting

#: Every address of this machine.
ANY = "0.0.0.0"  # noqa: S104  # that is the case to be tested

#: Everything that shows or changes something.
SEEN = ("/events", "/api/v1/jobs", "/api/v1/openapi.json", "/api/v1/process")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def test_loopback_needs_no_token() -> None:
    """By default only this machine can visit, and needs to show nothing."""
    async with visiting() as visitor:
        assert visitor.url.startswith("http://127.0.0.1:")
        assert (await visitor.get("/")).status == 200
        assert (await visitor.get("/login")).headers["Location"] == "/"


def test_beyond_loopback_a_token_is_needed() -> None:
    """An address that others reach is refused without a token."""
    with pytest.raises(ValidationError, match="token: is required"):
        UiOptions(address=ANY)
    assert UiOptions(address="::1").loopback


async def test_a_token_is_needed_to_read_too() -> None:
    """With a token set, people are led to the login and programs are told; neither sees anything of the data."""
    async with visiting(token=TOKEN) as visitor:
        page = await visitor.get("/")
        assert (page.status, page.headers["Location"], page.text) == (303, "/login", "")
        for path in SEEN:
            answer = await visitor.get(path)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert "highway" not in answer.text
        refused = await visitor.post("/jobs/highway/trigger")
        assert refused.status == 401
        assert visitor.desk.asked == []


async def test_programs_show_the_token_each_time() -> None:
    """A bearer token opens everything, also what changes something; a wrong one nothing."""
    async with visiting(token=TOKEN) as visitor:
        assert (await visitor.get("/api/v1/jobs", **BEARER)).status == 200
        assert (await visitor.send("POST", "/api/v1/jobs/street/trigger", **BEARER)).status == 202
        wrong = await visitor.get("/api/v1/jobs", Authorization=f"Bearer {TOKEN}x")
        assert (wrong.status, wrong.json()["detail"]) == (401, "this token is not the right one")


async def test_people_sign_in_once() -> None:
    """The form takes the token and gives a cookie that no script reads and no other site sends; signing out ends it."""
    async with visiting(token=TOKEN) as visitor:
        form = await visitor.get("/login")
        assert 'type="password"' in form.text
        wrong = await visitor.post("/login", {"token": "guess"})
        assert (wrong.status, "This is not the token." in wrong.text) == (403, True)
        right = await visitor.post("/login", {"token": f" {TOKEN} "})
        assert (right.status, right.headers["Location"]) == (303, "/")
        cookie = right.headers["Set-Cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
        assert "Secure" not in cookie
        assert TOKEN not in cookie
        page = await visitor.get("/")
        assert (page.status, "Sign out" in page.text) == (200, True)
        name = cookie.partition("=")[0]
        kept = {"Cookie": cookie.partition(";")[0]}
        out = await visitor.post("/logout")
        assert out.headers["Location"] == "/login"
        assert name.startswith("syncer-")
        # Whoever kept the cookie has nothing.
        assert (await visitor.get("/", **kept)).status == 303


@pytest.mark.parametrize("header", [{"X-Forwarded-Proto": "https"}, {"Origin": "https://syncer.example.org"}])
async def test_behind_https_the_cookie_stays_there(header: dict[str, str]) -> None:
    """A browser that speaks https, to a proxy say, never sends the cookie in the clear."""
    async with visiting(token=TOKEN, hosts=["syncer.example.org"]) as visitor:
        origin = {"Origin": "http://syncer.example.org"}
        sent = {"Host": "syncer.example.org", **origin, **header}
        answer = await visitor.send("POST", "/login", {"token": TOKEN}, **sent)
        assert (answer.status, "Secure" in answer.headers["Set-Cookie"]) == (303, True)


async def test_sessions_end() -> None:
    """A session ends after half a day, and the oldest when there are too many."""
    async with visiting(token=TOKEN) as visitor:
        await visitor.post("/login", {"token": TOKEN})
        assert (await visitor.get("/")).status == 200
        visitor.clock.ahead += LONGEST + 1
        assert (await visitor.get("/")).status == 303
    sessions = Sessions(InstantClock())
    first = sessions.open()
    others = [sessions.open() for _ in range(SESSIONS)]
    assert [sessions.holds(each) for each in (first, others[0], others[-1])] == [False, True, True]


async def test_wrong_tokens_are_bounded() -> None:
    """After ten wrong tokens in a minute an address has to wait, with the right one too; sessions go on."""
    async with visiting(token=TOKEN) as visitor:
        await visitor.post("/login", {"token": TOKEN})
        for number in range(ALLOWED):
            by_program = number % 2 == 0
            way = (
                visitor.get("/runs", Authorization="Bearer x") if by_program else visitor.post("/login", {"token": "x"})
            )
            assert (await way).status == (401 if by_program else 403)
        refused = await visitor.get("/api/v1/jobs", **BEARER)
        assert refused.status == 429
        assert 0 < int(refused.headers["Retry-After"]) <= WINDOW
        form = await visitor.post("/login", {"token": TOKEN})
        assert (form.status, "Too many wrong secrets" in form.text) == (429, True)
        assert (await visitor.get("/")).status == 200
        visitor.clock.ahead += WINDOW
        assert (await visitor.get("/api/v1/jobs", **BEARER)).status == 200


def test_addresses_are_counted_one_by_one() -> None:
    """Failures of one address never hold up another; a network of one subscriber is one; the table is bounded."""
    attempts = Attempts(InstantClock())
    for number in range(ALLOWED):
        attempts.failed(f"2001:db8::{number:x}")
    assert attempts.wait("2001:db8::ffff") == WINDOW
    assert attempts.wait("2001:db8:0:1::1") == 0
    assert attempts.wait("192.0.2.1") == 0
    for number in range(ADDRESSES):
        attempts.failed(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    assert attempts.wait("2001:db8::1") == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost:8464", 200), ("[::1]:8464", 200), ("Syncer.example.org.", 200),
        ("evil.example.com", 421), ("127.0.0.1.evil.example.com", 421), ("192.0.2.7", 421), ("user@127.0.0.1", 421),
        ("localhost:x", 421),
    ],
)  # fmt: skip
async def test_only_our_names_are_answered(host: str, status: int) -> None:
    """A page of another that points its own name at this address reads nothing (DNS rebinding)."""
    async with visiting(hosts=["syncer.example.org"]) as visitor:
        answer = await visitor.get("/api/v1/jobs", Host=host)
        assert answer.status == status
        assert ("highway" in answer.text) == (status == 200)


async def test_beyond_loopback_addresses_are_names_of_ours() -> None:
    """Where others may visit, an address is as good as a name: no page can rebind one."""
    async with visiting(token=TOKEN, address=ANY) as visitor:
        for host, status in {"192.0.2.7:8464": 200, "[2001:db8::1]": 200, "evil.example.com": 421}.items():
            url = visitor.url.replace(ANY, "127.0.0.1") + "api/v1/jobs"
            async with visitor.session.get(url, headers={"Host": host, **BEARER}) as answer:
                assert answer.status == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example.com"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example.com"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "own"},
        {"Sec-Fetch-Site": "same-site", "Origin": "own"},
    ],
)
@pytest.mark.parametrize("path", ["/jobs/street/trigger", "/api/v1/jobs/street/pause", "/logout", "/login"])
async def test_pages_of_others_change_nothing(path: str, headers: dict[str, str]) -> None:
    """What changes something comes from a page of ours, or with a bearer token: nothing else does (CSRF)."""
    async with visiting() as visitor:
        sent = {name: visitor.origin if value == "own" else value for name, value in headers.items()}
        answer = await visitor.send("POST", path, **sent)
        assert answer.status == 403
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert visitor.desk.asked == []


async def test_every_answer_is_guarded() -> None:
    """Pages, answers, errors, redirects and the stream carry the same headers, and no script or frame gets in."""
    async with visiting(token=TOKEN) as visitor:
        await visitor.post("/login", {"token": TOKEN})
        for path in ("/", "/login", "/api/v1/jobs", "/api/v1/nothing", "/assets/nothing"):
            answer = await visitor.get(path)
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        async with visitor.session.get(f"{visitor.origin}/events") as stream:
            assert {name: stream.headers.get(name) for name in HEADERS} == HEADERS
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


async def test_files_of_the_page_may_be_kept() -> None:
    """Style, script and icon are named by their content: browsers may keep what they asked for by that name."""
    async with visiting(token=TOKEN) as visitor:
        page = (await visitor.get("/login")).text
        address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert "immutable" in (await visitor.get(address)).headers["Cache-Control"]
        assert (await visitor.get("/assets/page.css")).headers["Cache-Control"] == "no-store"
        assert (await visitor.get("/assets/page.js")).headers["Content-Type"].startswith("text/javascript")
        assert (await visitor.get("/assets/..%2Fui.py")).status == 404


async def test_large_requests_are_refused() -> None:
    """Bodies, lines and headers have bounds."""
    async with visiting() as visitor:
        assert (await visitor.post("/jobs/street/retry", {"key": "x" * MAX_BODY})).status == 413
        assert (await visitor.get("/api/v1/jobs", X_Long="x" * 20_000)).status == 400
        assert (await visitor.get("/api/v1/jobs?" + "x" * 20_000)).status == 400


async def test_a_token_in_a_file_may_change() -> None:
    """The token is read when it is asked for: what the file says now is what opens."""
    said = ["first token"]
    async with visiting(token=None) as visitor:
        assert (await visitor.get("/")).status == 200
    secret = Secret(lambda: said[0], "file:token")
    async with visiting(token=secret) as visitor:  # type: ignore[arg-type]  # settings hand over a secret
        assert (await visitor.get("/api/v1/jobs", Authorization="Bearer first token")).status == 200
        said[0] = "second token"
        assert (await visitor.get("/api/v1/jobs", Authorization="Bearer first token")).status == 401
        assert (await visitor.get("/api/v1/jobs", Authorization="Bearer second token")).status == 200


async def test_a_port_in_use_is_named() -> None:
    """A listener that can't be opened says which, and what to do."""
    async with visiting() as visitor:
        port = int(visitor.origin.rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"can't listen on 127.0.0.1, port {port}"):
            async with visiting(port=port):
                pass


async def test_switched_off_is_off() -> None:
    """`enabled: false` opens nothing."""
    desk = lively()
    async with open_ui(desk, desk, UiOptions(enabled=False), InstantClock(), [].append) as url:
        assert url is None
