"""Tells a Pushgateway how a pass ended: one group a job, replaced as a whole.

A Pushgateway that can't be reached is a warning, and never a reason for a pass to fail or to wait long.
"""

import base64
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import anyio
import anyio.to_thread
import msgspec

from syncer.cli.exits import UsageError
from syncer.cli.messages import warn
from syncer.model.errors import SyncerError, Unsafe
from syncer.net.guard import origin_of
from syncer.net.network import MIB, Network
from syncer.net.push import put
from syncer.net.redact import forget, redact_text, remember
from syncer.observe.exposition import PLAIN
from syncer.settings.secrets import resolve

#: Seconds for one push, its second attempt included, and for an attempt.
PATIENCE, ATTEMPT = 10.0, 5.0


class Gateway(msgspec.Struct, frozen=True):
    """A Pushgateway, and the group that is pushed to."""

    #: URL of the group without the job, and without user and password.
    url: str
    headers: Mapping[str, str]

    @property
    def origin(self) -> str:
        """The part of the URL that may be shown."""
        return origin_of(self.url)

    async def push(self, texts: Mapping[str, bytes], *, quiet: bool = False) -> None:
        """Replace the groups of some jobs; warn if that can't be done, and leave the others then."""
        network = Network(
            url=self.origin, allow_http=True, attempts=2, connect_timeout=ATTEMPT, read_timeout=ATTEMPT,
            timeout=ATTEMPT, max_body=MIB,
        )  # fmt: skip
        problem: str | None = f"no answer within {PATIENCE:g} s"
        with anyio.move_on_after(PATIENCE):
            try:
                for job, text in texts.items():
                    await put(network, self._group(job), text, {**self.headers, "Content-Type": PLAIN})
                problem = None
            except SyncerError as error:
                problem = str(error)
        if problem is not None and not quiet:
            warn(f"--push-metrics: {self.origin} was not told: {redact_text(problem)}")

    def _group(self, job: str) -> str:
        """Return the URL of a job's group; a path that names its job itself stays as it is."""
        named = any(part.partition("@")[0] == "sync_job" for part in urlsplit(self.url).path.split("/"))
        return self.url if named else f"{self.url}/{_label('sync_job', job)}"


async def gateway(reference: str | None) -> Gateway | None:
    """Return where to push to; `reference` is a URL, or `env:NAME` or `file:PATH` of one. None: nowhere.

    User and password in it become basic authentication. A path that names no group gets the usual one, with this
    host as the instance.

    Raises:
        UsageError: it is no http(s) URL.
        SettingsError: there is nothing where the reference leads.
    """
    return None if reference is None else await anyio.to_thread.run_sync(_found, reference)


def _found(reference: str) -> Gateway:
    text = resolve(reference, Path(), where="--push-metrics").reveal().strip()
    # The URL as a whole is no secret, only the password in it: messages may show where they come from.
    forget(text)
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    headers: dict[str, str] = {}
    if parts.username is not None or parts.password is not None:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        credential = base64.b64encode(f"{user}:{password}".encode()).decode()
        for secret in (password, parts.password or "", credential):
            remember(secret)
        headers["Authorization"] = f"Basic {credential}"
    url = parts._replace(netloc=host, query="", fragment="").geturl().rstrip("/")
    try:
        origin_of(url)
    except Unsafe as error:
        raise UsageError(
            f"--push-metrics: {redact_text(str(error))}", hint="https://HOST:9091, env:NAME or file:PATH"
        ) from None
    if "/metrics/job" not in parts.path:
        url += f"/metrics/job/syncer/{_label('instance', socket.gethostname())}"
    return Gateway(url, headers)


def _label(name: str, value: str) -> str:
    """Return a label of the grouping key as two parts of a path; what a part can't hold goes by base64."""
    if value and "/" not in value:
        return f"{name}/{quote(value, safe='')}"
    encoded = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
    return f"{name}@base64/{encoded or '='}"
