"""The shorter way of content: one connection for many requests, every framing, and what goes wrong on the wire."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from syncer.model.errors import BadBody, HttpError, Unavailable, Unsafe
from syncer.model.events import Retrying
from syncer.net.direct import Direct
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.web import opened

HEAD = {"User-Agent": "test", "Accept": "*/*", "Accept-Encoding": "identity"}

#: Writes one answer; False: the connection is closed behind it.
Answer = Callable[[asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class Seen:
    """What a server was asked: the heads, by connection."""

    port: int = 0
    connections: list[list[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


def sent(*pieces: bytes, keep: bool = True) -> Answer:
    """Return an answer of these pieces, each in a packet of its own."""

    async def answer(writer: asyncio.StreamWriter) -> bool:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return keep

    return answer


def plain(body: bytes = b"hello", *more: bytes) -> bytes:
    """Return a whole answer with a length."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more, b"", body])


@asynccontextmanager
async def answering(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Seen]:
    """Serve connections that stay open; requests are answered in turn, whatever connection they come on."""
    seen, left, writers = Seen(), list(answers), []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads: list[str] = []
        seen.connections.append(heads)
        writers.append(writer)
        try:
            while True:
                heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                answer = left.pop(0) if len(left) > 1 else left[0]
                if not await answer(writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen
        for writer in writers:
            writer.close()


@asynccontextmanager
async def direct_to(url: str, **options: float) -> AsyncIterator[Direct]:
    """Open the way to an origin, without anything around it."""
    keep = options.get("keep", 30.0)
    way = Direct(URL(url), None, ThreadedResolver(), HEAD, connect_timeout=5.0, keep=keep)
    try:
        yield way
    finally:
        await way.close()


async def read(way: Direct, url: str, *, silence: float = 5.0) -> tuple[int, bytes]:
    """Return status and body of one GET."""
    reply = await way.get(URL(url, encoded=True).raw_path_qs, None, silence)
    try:
        body = b""
        while piece := await reply.content.readany():
            body += piece
    finally:
        reply.release()
    return reply.status, body


async def test_many_requests_share_a_connection() -> None:
    """One after the other they take the same one, and say what they should: the path as it is, host, no credential."""
    async with answering(sent(plain())) as server, direct_to(server.url) as way:
        for number in range(5):
            assert await read(way, f"{server.url}/a%20b?sig=%2F{number}") == (200, b"hello")
    ((first, *rest),) = server.connections
    assert len(rest) == 4
    lines = first.split("\r\n")
    assert lines[0] == "GET /a%20b?sig=%2F0 HTTP/1.1"
    assert sorted(lines[1:5]) == sorted(
        [f"Host: 127.0.0.1:{server.port}", "User-Agent: test", "Accept: */*", "Accept-Encoding: identity"]
    )
    assert lines[5:] == ["", ""]


async def test_requests_at_once_take_connections_of_their_own() -> None:
    """Nothing is sent on a connection that still owes an answer; all of them are used again."""
    async with answering(sent(plain())) as server, direct_to(server.url) as way:
        for _ in range(2):
            got = await asyncio.gather(*[read(way, f"{server.url}/{number}") for number in range(8)])
            assert got == [(200, b"hello")] * 8
    assert len(server.connections) == 8


FRAMINGS: dict[str, Sequence[bytes]] = {
    "a length": (plain(b"x" * 5000),),
    "a length, in pieces": (plain(b"x" * 5000)[:20], plain(b"x" * 5000)[20:90], plain(b"x" * 5000)[90:]),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    "an empty body": (plain(b""),),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"6\r\n world\r\n0\r\n\r\n"),
    "chunks and a trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nETag: late\r\n\r\n",
    ),
    "an interim answer": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", plain(b"then")),
    "a field twice": (plain(b"z", b"X-A: 1", b"x-a: 2", b'ETag: "v"'),),
    "an error": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",),
    "bytes in a field": (plain(b"z", b"X-Name: caf\xe9"),),
}


@pytest.mark.parametrize("pieces", FRAMINGS.values(), ids=FRAMINGS)
async def test_answers_are_what_the_library_makes_of_them(pieces: Sequence[bytes]) -> None:
    """Status, head and body are the same as by aiohttp, and the connection can be used again."""
    async with answering(sent(*pieces)) as server, direct_to(server.url) as way:
        async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(f"{server.url}/x") as theirs:
            expected = theirs.status, await theirs.read()
            theirs_headers = [(name.lower(), value) for name, value in theirs.headers.items()]
        for _ in range(2):
            reply = await way.get("/x", None, 5.0)
            body = b""
            while piece := await reply.content.readany():
                body += piece
            reply.release()
            assert (reply.status, body) == expected
            if b"\xe9" not in pieces[0]:
                assert [(name.lower(), value) for name, value in reply.headers.items()] == theirs_headers
    assert [len(heads) for heads in server.connections] == [1, 2]


@pytest.mark.parametrize("piece", [
    b"HTTP/1.1 200 OK\r\n\r\nuntil it is closed", b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nuntil it is closed",
])  # fmt: skip
async def test_a_body_without_a_length_ends_with_its_connection(piece: bytes) -> None:
    """As RFC 9112 §6.3 has it; the connection is gone, and the next request opens another."""
    async with answering(sent(piece, keep=False)) as server, direct_to(server.url) as way:
        for _ in range(2):
            assert await read(way, f"{server.url}/x") == (200, b"until it is closed")
    assert len(server.connections) == 2


async def test_a_server_may_close_after_an_answer() -> None:
    """What says that it will be closed is not used again."""
    async with answering(sent(plain(b"a", b"Connection: close"))) as server, direct_to(server.url) as way:
        for _ in range(3):
            assert (await read(way, f"{server.url}/x"))[1] == b"a"
    assert [len(heads) for heads in server.connections] == [1, 1, 1]


async def test_a_connection_that_was_closed_while_idle_is_no_failure() -> None:
    """The request goes out again on a new one, unseen by retries."""
    async with answering(sent(plain(), keep=False)) as server, opened(Network(url=server.url)) as client:
        for number in range(4):
            body = await client.http.download(Request(f"{server.url}/{number}", content=True), "key")
            assert body == b"hello"
    assert not client.heard(Retrying)
    assert len(server.connections) == 4


async def test_a_connection_that_dies_under_a_request_is_replaced_once_heard_of() -> None:
    """Closed without a byte on a used connection: sent again; on a fresh one: the server's failure, and retried."""
    answers = [sent(plain()), sent(keep=False), sent(keep=False), sent(plain(b"at last"))]
    async with answering(*answers) as server, opened(Network(url=server.url)) as client:
        assert await client.http.download(Request(f"{server.url}/1", content=True), "key") == b"hello"
        assert await client.http.download(Request(f"{server.url}/2", content=True), "key") == b"at last"
    assert len(client.heard(Retrying)) == 1
    assert [len(heads) for heads in server.connections] == [2, 1, 1]


async def test_idle_connections_are_not_kept_for_ever() -> None:
    """After the time that they are kept, a new one is opened."""
    async with answering(sent(plain())) as server, direct_to(server.url, keep=0.0) as way:
        for _ in range(2):
            await read(way, f"{server.url}/x")
    assert len(server.connections) == 2


BROKEN: dict[str, Sequence[bytes]] = {
    "cut in the body": (plain(b"x" * 100)[:-50],),
    "cut in the head": (b"HTTP/1.1 200 OK\r\nContent-Le",),
    "cut in a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello",),
    "no size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n",),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nzzz",),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",),
    "an endless head": (b"HTTP/1.1 200 OK\r\n", *[b"X-Padding: " + b"x" * 9000 + b"\r\n"] * 20),
}


@pytest.mark.parametrize("pieces", BROKEN.values(), ids=BROKEN)
async def test_broken_answers_are_failures(pieces: Sequence[bytes]) -> None:
    """None of them is taken for a document, and none of their connections is used again."""
    async with answering(sent(*pieces, keep=False)) as server, opened(Network(url=server.url, attempts=2)) as client:
        with pytest.raises((BadBody, Unavailable)):
            await client.http.download(Request(f"{server.url}/x", content=True), "key")
    assert [len(heads) for heads in server.connections] == [1, 1]


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    """A second answer behind the first belongs to no request, and must never be taken for the next one's."""
    answers = [sent(plain(b"first") + plain(b"smuggled")), sent(plain(b"second"))]
    async with answering(*answers) as server, direct_to(server.url) as way:
        assert (await read(way, f"{server.url}/1"))[1] == b"first"
        assert (await read(way, f"{server.url}/2"))[1] == b"second"
    assert len(server.connections) == 2


async def test_bytes_on_an_idle_connection_end_it() -> None:
    """The same, when they arrive later."""

    async def late(writer: asyncio.StreamWriter) -> bool:
        writer.write(plain(b"first"))
        await writer.drain()
        writers.append(writer)
        return True

    writers: list[asyncio.StreamWriter] = []
    async with answering(late, sent(plain(b"second"))) as server, direct_to(server.url) as way:
        assert (await read(way, f"{server.url}/1"))[1] == b"first"
        (kept,) = list(way._open)
        writers[0].write(plain(b"smuggled"))
        await kept.lost
        assert (await read(way, f"{server.url}/2"))[1] == b"second"


async def test_silence_is_bounded() -> None:
    """No answer, and no further piece of a body, is waited for longer than the read timeout."""

    async def silent(_writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(30)
        return False

    async def half(writer: asyncio.StreamWriter) -> bool:
        writer.write(plain(b"x" * 100)[:-50])
        return await silent(writer)

    for answer in (silent, half):
        async with answering(answer) as server:
            network = Network(url=server.url, attempts=1, read_timeout=0.05)
            async with opened(network) as client:
                with pytest.raises(Unavailable, match="no answer in time"):
                    await client.http.download(Request(f"{server.url}/x", content=True), "key")


async def test_a_body_waits_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read stays with the server: no more than the bound, and a packet, is held here."""
    monkeypatch.setattr("syncer.net.reply.MOST_WAITING", 64 * 1024)
    size = 8 * 1024 * 1024
    async with answering(sent(plain(b"x" * size)), sent(plain())) as server, direct_to(server.url) as way:
        reply = await way.get("/x", None, 5.0)
        most = total = 0
        for _ in range(200):
            await asyncio.sleep(0)
        while piece := await reply.content.readany():
            most, total = max(most, len(piece)), total + len(piece)
            await asyncio.sleep(0)
        reply.release()
        assert await read(way, f"{server.url}/next") == (200, b"hello"), "the connection reads on"
    assert len(server.connections) == 1
    assert total == size
    assert most <= 64 * 1024 + 512 * 1024


async def test_a_reader_that_leaves_closes_the_connection() -> None:
    """A cancelled request, and a body that is not read to its end, leave nothing that a later one could meet."""
    waiting = asyncio.Event()

    async def silent(_writer: asyncio.StreamWriter) -> bool:
        waiting.set()
        await asyncio.sleep(30)
        return False

    big = plain(b"x" * 3_000_000)
    async with answering(sent(big), silent, sent(plain(b"fine"))) as server, direct_to(server.url) as way:
        reply = await way.get("/1", None, 5.0)
        reply.release()
        assert reply.closed
        task = asyncio.create_task(read(way, f"{server.url}/2"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await read(way, f"{server.url}/3"))[1] == b"fine"
    assert [len(heads) for heads in server.connections] == [1, 1, 1]


async def test_closing_waits_for_the_connections() -> None:
    """After it there is no socket left that the interpreter would have to warn of."""
    async with answering(sent(plain())) as server:
        way = Direct(URL(server.url), None, ThreadedResolver(), HEAD, connect_timeout=5.0, keep=30.0)
        await asyncio.gather(*[read(way, f"{server.url}/{number}") for number in range(4)])
        lost = [connection.lost for connection in way._open]
        await way.close()
        assert len(lost) == 4
        assert all(each.done() for each in lost)


async def test_rule_23_tls_is_checked() -> None:
    """A certificate that nobody vouches for ends it; with its authority known, the name has to fit too."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with answering(sent(plain()), tls=tls) as server:
        for context, host, error in (
            (ssl.create_default_context(), "localhost", aiohttp.ClientConnectorCertificateError),
            (trusting, "127.0.0.1", aiohttp.ClientConnectorCertificateError),
            (trusting, "localhost", None),
        ):  # fmt: skip
            url = f"https://{host}:{server.port}/x"
            way = Direct(URL(url), context, ThreadedResolver(), HEAD, connect_timeout=5.0, keep=30.0)
            if error is None:
                assert await read(way, url) == (200, b"hello")
            else:
                with pytest.raises(error):
                    await read(way, url)
            await way.close()


async def test_nobody_there_is_said_in_the_same_words() -> None:
    """A port where nothing listens, and a name that does not resolve."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with opened(Network(url=f"http://127.0.0.1:{port}", attempts=1)) as client:
        with pytest.raises(Unavailable, match="no connection"):
            await client.http.download(Request(f"http://127.0.0.1:{port}/x", content=True), "key")
    way = Direct(URL("http://nowhere.invalid"), None, Book({}), HEAD, connect_timeout=5.0, keep=30.0)
    with pytest.raises(aiohttp.ClientConnectorDNSError):
        await read(way, "http://nowhere.invalid/x")


class Book(AbstractResolver):
    """A resolver that knows a few names, and counts how often it is asked."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        """Take addresses by name."""
        self.known = known
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name."""
        self.asked += 1
        if host not in self.known:
            raise OSError(None, "DNS lookup failed")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.known[host]
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def test_addresses_are_looked_up_once_and_tried_in_turn() -> None:
    """Connections at once share one look-up; where an address does not answer, the next one does."""
    async with answering(sent(plain())) as server:
        book = Book({"store.example": ["::1", "127.0.0.1"]})
        url = f"http://store.example:{server.port}/x"
        way = Direct(URL(url), None, book, HEAD, connect_timeout=5.0, keep=30.0)
        got = await asyncio.gather(*[read(way, url) for _ in range(4)])
        await way.close()
    assert got == [(200, b"hello")] * 4
    assert book.asked == 1


async def test_rule_23_a_name_with_a_private_address_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A content link may not lead into a private network by way of a name."""
    book = Book({"store.example": ["10.0.0.1"]})
    monkeypatch.setattr("syncer.net.transport.ThreadedResolver", lambda: book)
    async with opened(Network(url="https://platform.example", attempts=1)) as client:
        with pytest.raises(Unsafe, match="private"):
            await client.http.download(Request("https://store.example/x", content=True), "key")
    assert book.asked == 1


async def test_a_line_break_in_a_header_is_not_sent() -> None:
    """What a server said may become a header of ours (`If-Range`): it can't begin a line of its own."""
    async with answering(sent(plain())) as server, direct_to(server.url) as way:
        with pytest.raises(ValueError, match="line break"):
            await way.get("/x", {"If-Range": '"a"\r\nX: y'}, 5.0)
    assert not server.connections


async def test_errors_carry_what_the_server_said() -> None:
    """A refusal on this way is judged like any other, and its connection is used again."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nexpired"
    async with answering(sent(refusal), sent(plain())) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(HttpError) as caught:
            await client.http.download(Request(f"{server.url}/x", content=True), "key")
        assert await client.http.download(Request(f"{server.url}/y", content=True), "key") == b"hello"
    assert caught.value.body == b"expired"
    assert len(server.connections) == 1
