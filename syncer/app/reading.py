"""`syncer.read`: labels of a destination, for whoever trains on them. No configuration, no state, no platform.

`async with syncer.read(url) as labels` inside an event loop, `with syncer.read(url) as labels` outside of one, and
`for label in syncer.read(url)` for one pass. Only the store behind the URL needs credentials: those that its own tools
find, or the ones given as `storage`.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from anyio import to_thread

from syncer.app.blocking import BlockingLabels
from syncer.app.labels import Labels
from syncer.blobs.access import BucketAccess
from syncer.model.entries import Annotation
from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.schedule.clock import SystemClock
from syncer.sinks.reading.roots import open_reading

#: Bytes of a document that are taken, and seconds until HEAD has to say what lies there, where nobody says.
LARGEST, PATIENCE = 256 << 20, 30.0

_SECRETS = frozenset({"access_key", "secret_key", "session_token", "proxy"})
_PATHS = frozenset({"credentials_file", "ca_file"})


@dataclass(slots=True)
class Reading:
    """What is to be read. Nothing is touched before it is entered; may be entered again, and pickled for a worker."""

    url: str
    at: int | str | None = None
    job: str | None = None
    storage: Mapping[str, object] = field(default_factory=dict, repr=False)
    largest: int = LARGEST
    patience: float = PATIENCE
    _entered: list[Labels | ExitStack] = field(default_factory=list, init=False, repr=False)

    async def open(self) -> Labels:
        """Return the open labels; `close` belongs to the caller.

        Raises:
            SettingsError: the URL is none of a destination, or nothing is stored there.
            GenerationGone: the generation is not known any more, or never was.
            DestinationChanged: the manifest can't be read.
        """
        here = await to_thread.run_sync(Path.cwd)
        root = await open_reading(self.url, here, SystemClock(), job=self.job, access=_access(self.storage))
        labels = Labels(root, self.at, largest=self.largest, patience=self.patience)
        await labels.open()
        return labels

    async def __aenter__(self) -> Labels:
        """Open it for the running event loop."""
        labels = await self.open()
        self._entered.append(labels)
        return labels

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = self._entered.pop()
        if isinstance(entered, Labels):
            await entered.close()

    def __enter__(self) -> BlockingLabels:
        """Open it for code without an event loop; what waits does so in a thread of its own."""
        with ExitStack() as stack:
            labels = stack.enter_context(BlockingLabels.opened(self.open))
            self._entered.append(stack.pop_all())
        return labels

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = self._entered.pop()
        if isinstance(entered, ExitStack):
            entered.close()

    def __iter__(self) -> Iterator[Annotation]:
        """Yield all labels, once."""
        with self as labels:
            yield from labels

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to read the same: what is open here stays here."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in {**state, "_entered": []}.items():
            setattr(self, name, value)


def read(
    url: str,
    at: int | str | None = None,
    *,
    job: str | None = None,
    storage: Mapping[str, object] | None = None,
    largest: int = LARGEST,
    patience: float = PATIENCE,
) -> Reading:
    """Return the labels of a destination, to be read: `for label in syncer.read("s3://bucket/labels"): ...`.

    `url` is that of a sink (a folder, `s3://`, `gs://`, `az://`), or of an archive in it. `at`: a generation, or the
    name of a snapshot; without it the present generation, and with each `refresh` the newest. `job`: whose labels,
    where several jobs write there. `storage`: how a bucket is reached (`endpoint`, `region`, `profile`, `access_key`,
    …, as in a sink), where the environment does not say it. Documents of more than `largest` bytes are refused.
    `patience`: seconds to wait for HEAD where a sync is just replacing what it names.
    """
    return Reading(url, at, job, storage or {}, largest, patience)


def _access(storage: Mapping[str, object]) -> BucketAccess:
    known = set(BucketAccess.__struct_fields__)
    if unknown := sorted(set(storage) - known):
        raise SettingsError(f"storage: there is no option {unknown[0]!r}", hint=f"options: {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for name, value in storage.items():
        secret = name in _SECRETS and isinstance(value, str)
        values[name] = Secret.literal(str(value), name) if secret else value
        if name in _PATHS:
            values[name] = Path(str(value))
    return BucketAccess(**values)
