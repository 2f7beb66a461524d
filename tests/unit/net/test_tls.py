"""Authorities that come late vouch for the same servers."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from syncer.net.tls import LateContext, late_context


def _known(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


def test_rule_23_it_is_what_the_standard_library_makes() -> None:
    """Nothing is weaker than in the context that Python makes for clients."""
    ours, usual = late_context(), ssl.create_default_context()
    for name in ("verify_mode", "check_hostname", "verify_flags", "options", "minimum_version", "maximum_version"):
        assert getattr(ours, name) == getattr(usual, name), name


def test_loading_twice_is_loading_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Authorities come when they are called for, and those that were named stay."""
    named = trustme.CA()
    _installed(trustme.CA(), monkeypatch, tmp_path)
    context = late_context()
    named.configure_trust(context)
    assert _known(context) == 1
    context.load()
    context.load()
    assert _known(context) == 2


async def test_rule_23_the_first_connection_brings_the_authorities(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody is known before; then a server of a system's authority is trusted, and one of another's is not."""
    installed, other = trustme.CA(), trustme.CA()
    _installed(installed, monkeypatch, tmp_path)
    context = late_context()
    assert _known(context) == 0
    with pytest.raises(ssl.SSLCertVerificationError):
        await _greet(other, context)
    assert _known(context) == 1
    await _greet(installed, context)


def _installed(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let an authority be the only one of the system."""
    file = folder / "authorities.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder / "none"))


async def _greet(authority: trustme.CA, context: LateContext) -> None:
    """Shake hands with a server that an authority vouches for."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)

    async def served(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        writer.close()
