"""TLS, client certificates and proxies."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from syncer.model.errors import HttpError, SettingsError, Unavailable, Unsafe
from syncer.model.secret import Secret
from syncer.net.guard import parse_url
from syncer.net.network import Network
from syncer.net.transport import Proxies
from syncer.ports import Request
from tests.support.servers import proxying, serving
from tests.support.web import Token, opened


async def fine(request: web.Request) -> web.StreamResponse:
    """Say whose certificate the client showed."""
    assert request.transport is not None
    shown = request.transport.get_extra_info("peercert")
    return web.json_response({"client": bool(shown), "auth": request.headers.get("Authorization")})


class Authority:
    """A certificate authority of a test, its files, and a server context."""

    def __init__(self, folder: Path) -> None:
        """Make everything."""
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))
        self.client = folder / "client.pem"
        self.ca.issue_cert("worker@example.com").private_key_and_cert_chain_pem.write_to_path(str(self.client))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("localhost", "127.0.0.1").configure_cert(self.server)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a fresh authority."""
    return Authority(tmp_path)


async def test_rule_23_a_private_authority(authority: Authority) -> None:
    """With ca_file the server is trusted, for content too; without it, it is not, and the hint names the option."""
    async with serving(fine, tls=authority.server) as server:
        async with opened(Network(url=server.url, ca_file=authority.file)) as client:
            for content in (False, True):
                assert (await client.http.fetch(Request(f"{server.url}/x", content=content))).status == 200
        async with opened(Network(url=server.url)) as client:
            with pytest.raises(Unsafe, match="certificate is not trusted") as caught:
                await client.http.fetch(Request(f"{server.url}/x"))
    assert caught.value.hint is not None
    assert "ca_file" in caught.value.hint


async def test_rule_23_a_client_certificate_is_shown_to_the_platform_only(authority: Authority) -> None:
    """The platform sees it; a content request, even to the same host, does not."""
    authority.server.verify_mode = ssl.CERT_OPTIONAL
    authority.ca.configure_trust(authority.server)
    async with serving(fine, tls=authority.server) as server:
        network = Network(url=server.url, ca_file=authority.file, client_cert=authority.client)
        async with opened(network) as client:
            own = await client.http.fetch(Request(f"{server.url}/x"))
            content = await client.http.fetch(Request(f"{server.url}/x", content=True))
    assert b'"client": true' in own.body
    assert b'"client": false' in content.body


async def test_a_server_that_demands_a_certificate(authority: Authority) -> None:
    """Without one the connection is refused, as an ordinary error."""
    authority.server.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(authority.server)
    async with serving(fine, tls=authority.server) as server:
        async with opened(Network(url=server.url, ca_file=authority.file, attempts=2)) as client:
            with pytest.raises(HttpError):
                await client.http.fetch(Request(f"{server.url}/x"))
        network = Network(url=server.url, ca_file=authority.file, client_cert=authority.client)
        async with opened(network) as client:
            assert (await client.http.fetch(Request(f"{server.url}/x"))).status == 200


@pytest.mark.parametrize("content", ["", "no PEM at all"])
async def test_unusable_certificate_files(tmp_path: Path, content: str) -> None:
    """A missing or broken file is a settings error that names the options."""
    file = tmp_path / "broken.pem"
    if content:
        file.write_text(content)
    for network in (Network(url="https://h", ca_file=file), Network(url="https://h", client_cert=file)):
        with pytest.raises(SettingsError, match="ca_file, client_cert or client_key"):
            async with opened(network):
                pass


async def test_rule_23_plain_and_tls_requests_through_a_proxy(authority: Authority) -> None:
    """A configured proxy carries both kinds, gets its own credentials, and never sees the platform's in a tunnel."""
    seen: list[str] = []
    async with proxying(seen) as proxy, serving(fine) as plain, serving(fine, tls=authority.server) as secure:
        secret = Secret.literal(proxy.replace("http://", "http://worker:proxy-password@"))
        async with opened(Network(url=plain.url, proxy=secret)) as client:
            response = await client.http.fetch(Request(f"{plain.url}/x", auth=Token(plain.url)))
            assert b"first-token" in response.body
        async with opened(Network(url=secure.url, proxy=secret, ca_file=authority.file)) as client:
            response = await client.http.fetch(Request(f"{secure.url}/x", auth=Token(secure.url)))
            assert b"first-token" in response.body
            await client.http.download(Request(f"{secure.url}/y", content=True), "key")
    assert seen[0] == f"GET {plain.url}/x HTTP/1.1"
    assert seen[2] == f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1"
    assert sum(line.startswith("Proxy-Authorization: Basic") for line in seen) == 3
    assert not any("first-token" in line for line in seen)


async def test_rule_24_a_proxy_that_is_down_does_not_show_its_password() -> None:
    """The error says that it is the proxy, without its credentials."""
    secret = Secret.literal("http://worker:proxy-password@127.0.0.1:9")
    async with opened(Network(url="https://api.example.com", proxy=secret, attempts=1)) as client:
        with pytest.raises(Unavailable, match="proxy can't be reached") as caught:
            await client.http.fetch(Request("https://api.example.com/x"))
    assert "proxy-password" not in f"{caught.value!r} {caught.value.hint}"


async def test_a_proxy_that_refuses() -> None:
    """An answer to CONNECT other than 200 is named, and 407 is not tried again."""
    tried: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        proxy = Secret.literal(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with opened(Network(url="https://api.example.com", proxy=proxy)) as client:
            with pytest.raises(Unavailable, match="the proxy answered 407"):
                await client.http.fetch(Request("https://api.example.com/x"))
    assert len(tried) == 1


@pytest.mark.parametrize(("url", "expected"), [
    ("https://api.example.com/", "http://proxy:3128"), ("http://api.example.com/", "http://plain:3128"),
    ("https://inside.corp/", None), ("https://deep.inside.corp/", None), ("https://notinside.corp/", "http://proxy:3128"),
    ("https://10.1.2.3/", None), ("https://11.1.2.3/", "http://proxy:3128"), ("http://localhost:8080/", None),
    ("http://127.0.0.1/", None), ("https://port.example:8443/", None), ("https://port.example/", "http://proxy:3128"),
])  # fmt: skip
def test_rule_23_proxy_variables(monkeypatch: pytest.MonkeyPatch, url: str, expected: str | None) -> None:
    """HTTPS_PROXY and HTTP_PROXY lead, NO_PROXY (domains, ports, networks) excepts, loopback is always direct."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "plain:3128")
    monkeypatch.setenv("NO_PROXY", "inside.corp, 10.0.0.0/8, port.example:8443")
    proxy = Proxies(Network(url="https://api.example.com")).choose(parse_url(url))
    assert (str(proxy).rstrip("/") if proxy else None) == expected


def test_a_configured_proxy_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option wins over the environment and its exceptions."""
    monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
    monkeypatch.setenv("NO_PROXY", "*")
    proxies = Proxies(Network(url="https://h", proxy=Secret.literal("http://mine:3128")))
    assert str(proxies.choose(parse_url("https://h/"))) == "http://mine:3128"
    assert proxies.hosts == {"mine"}


@pytest.mark.parametrize("value", ["socks5://h:1", "http://", "http://h:99999"])
def test_rule_24_a_wrong_proxy_is_a_settings_error(value: str) -> None:
    """And the value, which may hold a password, is not shown."""
    with pytest.raises(SettingsError, match="proxy is not the URL") as caught:
        Proxies(Network(url="https://h", proxy=Secret.literal(value)))
    assert value not in str(caught.value)
