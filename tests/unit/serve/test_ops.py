"""The listener of supervisors, over real connections: probes, scrapes, and visitors who misbehave."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from syncer.model.errors import NotNow, SettingsError, Unavailable
from syncer.model.events import Event, RequestEnded, Warned
from syncer.observe.metrics import Metrics
from syncer.observe.outcomes import Outcomes
from syncer.serve import ops
from syncer.serve.ops import open_ops
from syncer.settings.daemon import OpsOptions
from tests.support.clock import InstantClock
from tests.support.desk import WELL, Desk, idle, lively

OPTIONS = OpsOptions(address="127.0.0.1", port=0)


@dataclass
class Listening:
    """A listener, and who asks it."""

    url: str
    desk: Desk
    metrics: Metrics
    events: list[Event]
    session: aiohttp.ClientSession

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Return status and text."""
        async with self.session.request(method, f"{self.url}{path}", headers=headers) as response:
            return response.status, await response.text()

    async def raw(self, sent: bytes) -> bytes:
        """Return what comes back for some bytes, until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(sent)
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def listening(desk: Desk | None = None) -> AsyncIterator[Listening]:
    """Listen on a free port, for a desk."""
    desk = desk or lively()
    metrics, events = Metrics(Outcomes("1.2.3")), list[Event]()
    async with (
        open_ops(desk, metrics, OPTIONS, clock=InstantClock(), emit=events.append) as url,
        aiohttp.ClientSession() as session,
    ):
        assert url is not None
        yield Listening(url, desk, metrics, events, session)


# ------------------------------------------------------------------------------------------------ probes


async def test_a_process_that_is_well() -> None:
    """All three probes say so in a word."""
    async with listening() as it:
        assert await it.get("/livez") == (200, "alive\n")
        assert await it.get("/readyz") == (200, "ready\n")
        assert await it.get("/startupz") == (200, "started\n")


async def test_a_loop_that_is_late_or_a_stage_that_stands_ends_liveness() -> None:
    """From five seconds on, or with a stalled stage, the supervisor is told why it should start the process anew."""
    async with listening() as it:
        it.desk.state = replace(WELL, lag=4.9)
        assert (await it.get("/livez"))[0] == 200
        it.desk.state = replace(WELL, lag=7.25)
        assert await it.get("/livez") == (503, "the event loop is 7.2 s late\n")
        it.desk.state = replace(WELL, stalled="fetch of highway", idle=700.0)
        assert await it.get("/livez") == (503, "fetch of highway has not moved for 11m 40s\n")
        assert (await it.get("/readyz"))[0] == 200


async def test_a_daemon_that_drains_is_not_ready() -> None:
    """It takes no new work, and lives; a start-up that was over once does not begin again."""
    async with listening() as it:
        it.desk.state = replace(WELL, ready=False, reasons=("starting",))
        assert await it.get("/startupz") == (503, "starting\n")
        it.desk.state = WELL
        assert (await it.get("/startupz"))[0] == 200
        it.desk.state = replace(WELL, ready=False, reasons=("draining: SIGTERM", "token=s3cretvalue\x1b[2J"))
        assert await it.get("/readyz") == (503, "draining: SIGTERM\ntoken=***\n")
        assert (await it.get("/livez"))[0] == 200
        assert (await it.get("/startupz"))[0] == 200


async def test_dependencies_are_told_and_decide_nothing() -> None:
    """A platform that is away, and a job that failed, show in `?verbose`; the process is ready all the same."""
    async with listening() as it:
        status, text = await it.get("/readyz?verbose")
        assert status == 200
        lines = text.splitlines()
        assert "[+] platform kognic: well" in lines
        assert "[-] platform clarifai: left alone until 14:30:41Z" in lines
        assert any(
            line.startswith("[-] job parts: waiting, 0 owed, fresh until 2026-11-28T12:30:00Z") for line in lines
        )
        assert lines[-1] == "readyz check passed"
        assert "example.com" not in text, "no origin is shown"
        assert "s3://" not in text, "no destination is shown"


async def test_a_state_that_is_away_is_told_and_shows_what_was_known() -> None:
    """Neither probes nor scrapes need the database; `?verbose` says that it is away."""
    async with listening() as it:
        await it.get("/metrics")
        it.desk.broken = Unavailable("the database does not answer")
        it.desk.moved()
        status, text = await it.get("/readyz?verbose")
        assert status == 200
        assert "[-] jobs and platforms could not be looked at: the database does not answer" in text
        assert (await it.get("/livez"))[0] == 200
        assert 'syncer_fresh_until_timestamp_seconds{sync_job="street"}' in (await it.get("/metrics"))[1]
        assert any(isinstance(event, Warned) and "database" in event.message for event in it.events)


async def test_a_daemon_that_does_not_say_how_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is alive, because it answers, and not ready."""
    monkeypatch.setattr(ops, "PATIENCE", 0.01)

    async def never() -> object:
        return await asyncio.Event().wait()

    async with listening() as it:
        it.desk.health = never  # type: ignore[method-assign,assignment]  # this one hangs
        assert await it.get("/livez") == (200, "alive\n")
        assert await it.get("/readyz") == (503, "the daemon does not say how it is\n")


# ----------------------------------------------------------------------------------------------- scrapes


async def test_a_scrape_shows_what_was_counted_and_what_the_daemon_says() -> None:
    """Counters from events, gauges from the desk, and the process itself."""
    async with listening() as it:
        it.metrics(RequestEnded("https://x", "GET", 200, 0.2, 10, "kognic", "content"))
        it.desk.change("street", next_run=None)
        _, text = await it.get("/metrics")
        assert 'syncer_requests_total{class="content",platform="kognic",status="2xx"} 1.0' in text
        assert 'syncer_circuit_open{platform="clarifai"} 1.0' in text
        assert 'syncer_owed_items{sync_job="clinic"} 4.0' in text
        assert "process_resident_memory_bytes" in text
        assert it.desk.looks >= 1


async def test_a_changed_daemon_shows_in_the_next_scrape() -> None:
    """Metrics follow the daemon's word that something changed; a job that is no longer configured goes."""
    async with listening() as it:
        del it.desk.views["clinic"]
        it.desk.views["new"] = idle("new")
        it.desk.moved()
        text = ""
        while 'sync_job="new"' not in text:
            _, text = await it.get("/metrics")
        assert 'sync_job="clinic"' not in text
        assert 'syncer_runs_total{code="0",sync_job="new"} 0.0' in text


async def test_the_reader_chooses_the_format() -> None:
    """OpenMetrics to those who ask for it, the plain text to all others; both parse, packed or not."""
    asks = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    async with listening() as it:
        async with it.session.get(f"{it.url}/metrics", headers={"Accept": asks}) as response:
            assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
            assert {family.name for family in open_metrics(await response.text())} >= {
                "syncer_items",
                "syncer_run_seconds",
            }
        async with it.session.get(f"{it.url}/metrics") as response:
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert response.headers["Content-Encoding"] == "gzip"
            assert response.headers["Cache-Control"] == "no-store"
            assert list(plain(await response.text()))
        got = await it.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
        head, _, body = got.partition(b"\r\n\r\n")
        assert len(gzip.decompress(body)) > 4 * len(body)
        assert b"Connection: close" in head


async def test_head_has_no_body() -> None:
    """A monitor may ask with HEAD, for probes and metrics alike."""
    async with listening() as it:
        for path in ("/livez", "/readyz", "/metrics"):
            got = await it.raw(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert got.endswith(b"\r\n\r\n")
        assert await it.get("/livez", "HEAD") == (200, "")


# ---------------------------------------------------------------------------------------------- visitors


async def test_other_paths_and_methods_are_refused_quietly(caplog: pytest.LogCaptureFixture) -> None:
    """A scan of the port is answered with 404 and 405, and nothing is logged; no server is named."""
    async with listening() as it:
        for path in ("/", "/metrics/", "/api/v1/jobs", "/../etc/passwd", "/%00"):
            assert (await it.get(path))[0] == 404
        status, _ = await it.get("/metrics", "POST")
        assert status == 405
        for sent in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
            b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"b" * 20_000 + b"\r\n\r\n",
        ):
            assert b" 200 " not in await it.raw(sent)
        async with it.session.get(f"{it.url}/livez") as response:
            assert response.headers["Server"] == "syncer"
        assert (caplog.records, it.events) == ([], [])


async def test_a_bug_ends_one_request_and_is_told() -> None:
    """The answer is 500 without a word of the error; the log has it, and the listener goes on."""
    async with listening() as it:
        it.desk.health = lambda: None  # type: ignore[method-assign,assignment,return-value]  # no coroutine
        status, text = await it.get("/livez")
        assert (status, text) == (500, "this is a bug in syncer; its log says more\n")
        assert any(isinstance(event, Warned) and "/livez" in event.message for event in it.events)
        assert (await it.get("/metrics"))[0] == 200


async def test_connections_end_soon_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends a byte now and then, or nothing, is gone after a while; so is one that never reads."""
    monkeypatch.setattr(ops, "LONGEST", 0.2)
    async with listening() as it:
        assert await it.raw(b"GET /livez HT") == b""
        assert await it.raw(b"") == b""
        assert await it.raw(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx") != b""
        assert (await it.get("/livez"))[0] == 200


async def test_only_so_many_connections_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond are cut off at once; when some have gone there is room again."""
    monkeypatch.setattr(ops, "MOST", 3)
    async with listening() as it:
        port = int(it.url.rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await it.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        while not await it.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"):
            pass


# ----------------------------------------------------------------------------------------------- opening


async def test_a_port_that_is_taken() -> None:
    """It ends with 75 and names the option: the other process may be a daemon that still drains."""
    async with listening() as it:
        port = int(it.url.rpartition(":")[2])
        taken = OpsOptions(address="127.0.0.1", port=port)
        with pytest.raises(NotNow, match=f"serve.ops: 127.0.0.1:{port} is taken"):
            async with open_ops(it.desk, it.metrics, taken, clock=InstantClock(), emit=it.events.append):
                pytest.fail("it listens twice")
        assert (await it.get("/livez"))[0] == 200


async def test_an_address_of_another_machine() -> None:
    """It ends with 78: waiting would not help."""
    away = OpsOptions(address="192.0.2.1", port=0)
    with pytest.raises(SettingsError, match=r"serve.ops: 192\.0\.2\.1:0 can't be listened on"):
        async with open_ops(lively(), Metrics(Outcomes("1")), away, clock=InstantClock(), emit=print):
            pytest.fail("it listens elsewhere")


async def test_it_may_be_switched_off() -> None:
    """`enabled: false` opens nothing."""
    off = OpsOptions(enabled=False)
    async with open_ops(lively(), Metrics(Outcomes("1")), off, clock=InstantClock(), emit=print) as url:
        assert url is None
