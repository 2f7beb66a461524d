"""Large bodies in parallel ranges: each byte once, over broken connections, lapsed links and dead processes."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from syncer.blobs.spool import open_spool
from syncer.model.entries import SpooledFile
from syncer.model.errors import BadBody, Forbidden, NotNow, TooLarge
from syncer.net import parts
from syncer.net.client import open_http
from syncer.net.network import Network
from syncer.ports import Http, Request, Spool
from tests.support.servers import serving
from tests.support.studio_source import Hasty

DATA = random.Random(5).randbytes(3_000_000)
PART = 200_000


@dataclass
class Store:
    """A store of one object behind a signature that lapses."""

    data: bytes = DATA
    tag: str | None = '"v1"'
    ranges: bool = True
    #: Bytes after which each connection breaks; 0: never.
    breaks: int = 0
    #: Signature that is good now.
    good: str = "1"
    #: The signature lapses after so many answers.
    lapses: int = 0
    answers: int = 0
    sent: int = 0
    renewed: int = 0
    seen: list[tuple[str | None, str | None]] = field(default_factory=list)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer by range, as far as the connection goes."""
        self.seen.append((request.headers.get("Range"), request.headers.get("If-Range")))
        if self.lapses and self.answers == self.lapses:
            self.good, self.lapses = "2", 0
        if request.query.get("sig") != self.good:
            return web.Response(status=403)
        self.answers += 1
        wanted = request.headers.get("If-Range")
        headers = {"ETag": self.tag} if self.tag else {}
        if not self.ranges or "Range" not in request.headers or (wanted and wanted != self.tag):
            return web.Response(body=self.data, headers=headers)
        span = request.http_range
        body, start = self.data[span], span.start or 0
        headers["Content-Range"] = f"bytes {start}-{start + len(body) - 1}/{len(self.data)}"
        headers["Content-Length"] = str(len(body))
        response = web.StreamResponse(status=206, headers=headers)
        await response.prepare(request)
        kept = body[: self.breaks] if self.breaks else body
        await response.write(kept)
        self.sent += len(kept)
        if len(kept) < len(body):
            assert request.transport is not None
            request.transport.close()
        return response


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into fifteen ranges, and take any byte for progress."""
    monkeypatch.setattr(parts, "PART", PART)
    monkeypatch.setattr(parts, "PROGRESS", 1)


@asynccontextmanager
async def opened(folder: Path, **options: object) -> AsyncIterator[tuple[Http, Spool]]:
    """Open a client on a spool folder, as a process does."""
    network = Network(url="http://127.0.0.1:1", **options)  # type: ignore[arg-type]  # a table of options
    async with (
        open_spool(folder, reserve=0) as spool,
        open_http(network, Hasty(), lambda _: None, spool) as http,
    ):
        yield http, spool


async def fetched(store: Store, folder: Path, check: object = None, **options: object) -> bytes:
    """Download from a store, check digest and size, discard; return the bytes."""
    async with serving(store.serve) as server, opened(folder, **options) as (http, spool):

        async def renew() -> str:
            store.renewed += 1
            return f"{server.url}/o?sig={'refused' if store.good == 'none' else store.good}"

        request = Request(f"{server.url}/o?sig=1", content=True)
        body = await http.download_parts(request, "key", renew, check)  # type: ignore[arg-type]  # a double
        if isinstance(body, bytes):
            return body
        data = body.path.read_bytes()
        assert (body.size, body.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        await spool.discard(body)
        assert not body.path.exists()
        return data


async def test_ranges_side_by_side_make_the_whole(tmp_path: Path) -> None:
    """Every range once, all but the first on the condition that the object is still the same."""
    store = Store()
    assert await fetched(store, tmp_path) == DATA
    assert store.sent == len(DATA)
    assert len(store.seen) == 15
    assert store.seen[0] == (f"bytes=0-{PART - 1}", None)
    assert {condition for _, condition in store.seen[1:]} == {store.tag}
    assert not list((tmp_path / "kept").iterdir())


async def test_connections_that_break_cost_no_byte(tmp_path: Path) -> None:
    """What of a range came before its connection broke is not asked for again."""
    store = Store(breaks=60_000)
    assert await fetched(store, tmp_path, attempts=2) == DATA
    assert store.sent == len(DATA)


async def test_a_link_that_lapses_is_renewed_once_for_all(tmp_path: Path) -> None:
    """All ranges that are refused share one new link."""
    store = Store(lapses=5)
    assert await fetched(store, tmp_path) == DATA
    assert store.renewed == 1
    assert store.sent == len(DATA)


async def test_a_refusal_is_no_lapse(tmp_path: Path) -> None:
    """Where new links are refused as well the download ends, and what came is kept."""
    store = Store(good="none")
    with pytest.raises(Forbidden):
        await fetched(store, tmp_path)


async def test_what_a_dead_process_left_is_not_fetched_again(tmp_path: Path) -> None:
    """Ranges that were complete stay; the next process asks for the others alone."""
    store = Store()
    enough = asyncio.Event()
    async with serving(store.serve) as server:

        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            if store.answers >= 7:
                enough.set()
                await asyncio.Event().wait()
            return await store.serve(request)

        async with serving(serve) as stuck, opened(tmp_path) as (http, _):
            del server

            async def never() -> str:
                raise AssertionError

            request = Request(f"{stuck.url}/o?sig=1", content=True)
            task = asyncio.ensure_future(http.download_parts(request, "key", never))
            await enough.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    before = store.sent
    assert await fetched(store, tmp_path) == DATA
    assert before + (len(DATA) - before) <= store.sent <= len(DATA) + PART * parts.SIDE_BY_SIDE


async def test_a_complete_download_needs_no_request(tmp_path: Path) -> None:
    """A process that died between the last range and the checkpoint left everything."""
    store = Store()
    async with serving(store.serve) as server, opened(tmp_path) as (http, _):

        async def never() -> str:
            raise AssertionError

        request = Request(f"{server.url}/o?sig=1", content=True)
        for _ in range(2):
            body = await http.download_parts(request, "key", never)
            assert isinstance(body, SpooledFile)
            assert body.path.read_bytes() == DATA
    assert len(store.seen) == 15


async def test_an_object_that_changed_is_fetched_anew(tmp_path: Path) -> None:
    """Ranges of two versions are never glued together."""
    store = Store()
    async with serving(store.serve) as server, opened(tmp_path) as (http, _):
        request = Request(f"{server.url}/o?sig=1", content=True)

        async def renew() -> str:
            raise AssertionError

        def cut(path: Path) -> str | None:
            return None

        body = await http.download_parts(request, "key", renew, cut)
        assert isinstance(body, SpooledFile)
        note = body.path.with_suffix(".note")
        note.write_bytes(note.read_bytes().replace(b"3,4,5", b"3"))
        store.data, store.tag = DATA[::-1], '"v2"'
        body = await http.download_parts(request, "key", renew)
        assert isinstance(body, SpooledFile)
        assert body.path.read_bytes() == DATA[::-1]


@pytest.mark.parametrize("habits", [{"ranges": False}, {"tag": None}, {"tag": 'W/"weak"'}])
async def test_without_ranges_or_a_validator_it_is_one_piece(tmp_path: Path, habits: dict[str, object]) -> None:
    """A server that sends everything, or nothing that tells versions apart, is read in one go."""
    assert await fetched(Store(**habits), tmp_path) == DATA  # type: ignore[arg-type]  # a table of habits


async def test_a_body_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    """What the check says ends the download, and the next one starts over."""
    store = Store()
    with pytest.raises(BadBody, match="no archive"):
        await fetched(store, tmp_path, lambda _: "no archive")
    assert await fetched(store, tmp_path) == DATA
    assert store.sent == 2 * len(DATA)


async def test_a_limit_is_kept(tmp_path: Path) -> None:
    """An object that is larger than the limit is refused with the first range."""
    store = Store()
    with pytest.raises(TooLarge):
        await fetched(store, tmp_path, max_item=1_000_000)
    assert store.sent <= PART


async def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    """The second one is told to come back later."""
    async with open_spool(tmp_path, reserve=0) as first, open_spool(tmp_path, reserve=0) as second, first.keep("key"):
        with pytest.raises(NotNow, match="another process"):
            async with second.keep("key"):
                pass
