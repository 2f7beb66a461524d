"""Tells a monitor that a pass began and how it ended, in the way of healthchecks.io and its like.

GET on the URL with `/start`, then on the URL itself, or with the exit code (`/3`) where that is not 0. A monitor that
can't be reached is a warning, and never a reason for a pass to fail or to wait long.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio.to_thread

from syncer.app.library import temporary_folder
from syncer.blobs.spool import FolderSpool
from syncer.cli.exits import UsageError, code_of, collapse
from syncer.cli.messages import warn
from syncer.model.errors import Exit, SyncerError, Unsafe
from syncer.net.client import open_http
from syncer.net.guard import origin_of
from syncer.net.network import MIB, Network
from syncer.net.redact import redact_text, remember
from syncer.ports import Request
from syncer.schedule.clock import SystemClock
from syncer.settings.secrets import resolve

#: Seconds for one ping, its second attempt included, and for an attempt.
PATIENCE, ATTEMPT = 10.0, 5.0

#: Takes the exit code that a pass ends with, and returns it.
Ended = Callable[[int], int]


@asynccontextmanager
async def pinged(reference: str | None, *, quiet: bool = False) -> AsyncIterator[Ended]:
    """Tell a monitor of the pass inside the block; its exit code is what `Ended` was called with, or its error's.

    `reference`: a URL, or `env:NAME` or `file:PATH` of one: whoever knows it can report on the job, so it is shown
    nowhere. `None`: nobody is told.

    Raises on entering:
        UsageError: it is no http(s) URL.
        SettingsError: there is nothing where the reference leads.
    """
    codes: list[int] = []

    def ended(code: int) -> int:
        codes.append(code)
        return code

    if reference is None:
        yield ended
        return
    url = await anyio.to_thread.run_sync(_revealed, reference)
    await _ping(url, "/start", quiet=quiet)
    try:
        yield ended
    except (Exception, BaseExceptionGroup) as error:
        ended(code_of(collapse(error)))
        raise
    finally:
        # Without a code the process is being ended by a signal: then the monitor's own patience runs out.
        if codes:
            await _ping(url, "" if codes[-1] == Exit.DONE else f"/{codes[-1]:d}", quiet=quiet)


def _revealed(reference: str) -> str:
    url = resolve(reference, Path(), where="--ping").reveal().strip()
    try:
        origin_of(url)
    except Unsafe as error:
        raise UsageError(
            f"--ping: {redact_text(str(error))}", hint="https://HOST/PATH, env:NAME or file:PATH"
        ) from None
    # The path is the credential, also where a message shows it without the rest.
    remember(url)
    remember(urlsplit(url).path.strip("/"))
    return url


async def _ping(url: str, what: str, *, quiet: bool) -> None:
    parts = urlsplit(url)
    target = parts._replace(path=parts.path.rstrip("/") + what, fragment="").geturl()
    network = Network(
        url=origin_of(url), allow_http=True, attempts=2, retry_budget=PATIENCE,
        connect_timeout=ATTEMPT, read_timeout=ATTEMPT, timeout=ATTEMPT, max_body=MIB,
    )  # fmt: skip
    # Answers are read and forgotten: nothing is ever spooled.
    spool = FolderSpool(temporary_folder())
    problem: str | None = f"no answer within {PATIENCE:g} s"
    with anyio.move_on_after(PATIENCE):
        try:
            async with open_http(network, SystemClock(), lambda _event: None, spool) as http:
                await http.fetch(Request(target))
            problem = None
        except SyncerError as error:
            problem = str(error)
    if problem is not None and not quiet:
        warn(f"--ping: {origin_of(url)} was not told: {redact_text(problem)}")
