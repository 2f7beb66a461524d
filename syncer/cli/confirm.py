"""Asks before something is destroyed; never where nobody could answer."""

import sys

import anyio.to_thread

from syncer.cli.exits import UsageError
from syncer.observe.screen import printable


async def confirmed(question: str, *, yes: bool) -> None:
    """Return if the user wants it.

    Raises:
        UsageError: the user does not, or nobody is there to ask and `--yes` was not given.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} Nobody is here to answer", hint="give --yes if that is what you want")
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = await anyio.to_thread.run_sync(sys.stdin.readline)
    if answer.strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was changed")
