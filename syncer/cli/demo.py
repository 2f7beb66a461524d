"""`syncer demo`: the whole tool at work on an embedded platform."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere


async def demo(
    folder: Annotated[
        Path | None, Parameter(name="DIR", help="Where to leave the outcome. Default: a new one.")
    ] = None,
    /,
    *,
    here: Everywhere = EVERYWHERE,  # noqa: ARG001  # every command takes the same options
) -> int:
    """See all of it at work on an embedded platform: no network, no account.

    It exports, is killed half way, resumes, follows changes, and verifies
    every byte.
    """
    from syncer.demo.demo import run

    return await run(folder)
