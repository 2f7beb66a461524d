"""A relay to PostgreSQL that loses the connection at the worst moment: around a COMMIT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.postgres import Postgres


@asynccontextmanager
async def losing(server: Postgres, *, before: bool) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Relay to a server; once armed, the next COMMIT loses its connection: before the server got it, or its answer."""
    armed = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server.port)
        lost, answered = asyncio.Event(), asyncio.Event()

        async def up() -> None:
            while data := await reader.read(65536):
                if armed.is_set() and b"COMMIT" in data:
                    armed.clear()
                    lost.set()
                    if not before:
                        there_writer.write(data)
                        await answered.wait()
                    break
                there_writer.write(data)
            there_writer.close()
            writer.transport.abort()

        async def down() -> None:
            while data := await there_reader.read(65536):
                if lost.is_set():
                    answered.set()
                else:
                    writer.write(data)

        await asyncio.gather(up(), down(), return_exceptions=True)

    relay = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with relay:
        yield relay.sockets[0].getsockname()[1], armed
