"""The embedded server in a process of its own: whoever is killed and started again beside it, it goes on serving."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import msgspec
from anyio.streams.text import TextReceiveStream


class Remote(msgspec.Struct, frozen=True):
    """A running server, seen from outside."""

    url: str
    token: str
    #: A personal access token.
    pat: str
    #: Titles of the seeded projects by id.
    projects: dict[str, str]
    pid: int

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request, with the token; return the decoded answer, None if it has no body.

        Raises:
            aiohttp.ClientResponseError: the answer is no success.
        """
        headers = {"Authorization": f"Token {self.token}"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers, raise_for_status=True) as session,
            session.request(method, path, json=body) as answer,
        ):
            return await answer.json() if await answer.read() else None

    async def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on; options are the fields of `faults.Fault`."""
        await self.ask("POST", "/_faults", {"kind": kind, **options})

    async def heal(self) -> None:
        """Switch all faults off."""
        await self.ask("DELETE", "/_faults")

    async def stats(self) -> dict[str, Any]:
        """Return the counters: requests by route, answers by status, the most requests at a time."""
        counters: dict[str, Any] = await self.ask("GET", "/_stats")
        return counters


@asynccontextmanager
async def platform_process(*options: str) -> AsyncIterator[Remote]:
    """Start a server with command line options (`--tasks`, `5000`); stop it at the end, however that comes.

    Raises:
        RuntimeError: it did not start.
    """
    command: Sequence[str] = (sys.executable, "-m", "syncer.demo.platform", "--with-parent", *options)
    async with await anyio.open_process(command, stderr=None) as process:
        try:
            if process.stdout is None:
                message = "the server has no standard output"
                raise RuntimeError(message)
            text = ""
            async for part in TextReceiveStream(process.stdout):
                text += part
                if text.endswith("\n"):
                    break
            if not text:
                message = "the embedded platform did not start"
                raise RuntimeError(message)
            yield Remote(**json.loads(text))
        finally:
            if process.returncode is None:
                process.terminate()
