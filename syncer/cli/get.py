"""`syncer get`: one document on standard output, byte for byte."""

import sys
from typing import Annotated

import anyio.to_thread
from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere
from syncer.model.entries import Body


async def get(
    platform: Annotated[str, Parameter(help="A platform of the configuration, or a type such as label_studio.")],
    /,
    *parts: Annotated[str, Parameter(name="PART", help="What the platform names a document by, such as its id.")],
    here: Everywhere = EVERYWHERE,
) -> int:
    """Print one document, byte for byte.

    On a terminal, characters that would control it are spelt out.
    """
    from syncer.cli.context import opened_platform
    from syncer.cli.exits import UsageError

    async with opened_platform(here, platform) as (session, choice):
        needed = session.syncer.registry.source(choice.type).parts
        if needed and not parts:
            raise UsageError("get which document?", hint=f"syncer get {platform} {' '.join(needed)}")
        body = await session.syncer.get(choice.name, *parts)
        await anyio.to_thread.run_sync(_write, body)
        if not isinstance(body.data, bytes):
            await session.syncer.assembly.spool.discard(body.data)
    return 0


def _write(body: Body) -> None:
    from syncer.cli.messages import plain

    if sys.stdout.isatty():
        data = body.data if isinstance(body.data, bytes) else body.data.path.read_bytes()
        print(plain(data.decode("utf-8", "backslashreplace")))
    elif isinstance(body.data, bytes):
        sys.stdout.buffer.write(body.data)
    else:
        with body.data.path.open("rb") as file:
            while chunk := file.read(1 << 20):
                sys.stdout.buffer.write(chunk)
    sys.stdout.flush()
