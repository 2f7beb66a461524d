"""The platform's own export job, as one file: found or started, waited for, fetched in ranges, and checked.

A finished export that is newer than the data is taken as it is; one that is on its way is waited for. So a process
that died while it waited goes on with the export that it had started, and a request whose fate is unknown is looked
up, not repeated.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

import anyio.to_thread
import msgspec

from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import BadBody, HttpError, ItemFailed, NotFound, PartitionGone, Unavailable
from syncer.model.refs import EXPORT, AnnotationRef, Cursor, ItemKey, PartitionKey
from syncer.ports import Clock, Request
from syncer.sources.datature.api import JSON, Api, missing_dataset
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.wire import moment_of

#: Seconds before the second look at an export, how the pauses grow, and the longest.
FIRST, GROWTH, LONGEST = 1.0, 1.5, 30.0


#: Says in a thread what is wrong with an archive; None: nothing is.
Check = Callable[[Path | IO[bytes]], str | None]


class _Condition(msgspec.Struct):
    condition: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None


class _Url(msgspec.Struct):
    url: str = ""


class _Status(msgspec.Struct, rename="camel"):
    conditions: list[_Condition] = []  # msgspec copies defaults
    download_url: _Url | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    time_created: int | float = 0


class Export(msgspec.Struct, rename="camel"):
    """One export job, as far as we look."""

    dataset_export_id: str
    spec: object = None
    status: _Status = msgspec.field(default_factory=_Status)
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)

    @property
    def failure(self) -> str | None:
        """Why it failed; None if it did not."""
        failed = [each for each in self.status.conditions if each.status == "FailedReach"]
        return " ".join(filter(None, [failed[0].reason, failed[0].message])) or "no reason is given" if failed else None

    @property
    def link(self) -> str | None:
        """Where its archive is; None before it is finished."""
        states = [each.status for each in self.status.conditions]
        done = bool(states) and all(state == "Reached" for state in states)
        return self.status.download_url.url or None if done and self.status.download_url is not None else None


class _Seen(msgspec.Struct, tag_field="v", tag=1):
    """The cursor: what the last pass saw of a dataset."""

    version: str
    #: When anything that is still there had changed last.
    newest: datetime | None


_EXPORT = msgspec.json.Decoder(Export)
_SEEN = msgspec.json.Decoder(_Seen)


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of one organization's datasets."""

    api: Api
    options: DatatureOptions
    clock: Clock
    #: For messages.
    origin: str

    async def listed(self, partition: PartitionKey, since: Cursor | None) -> tuple[AnnotationRef, Cursor]:
        """Return the export of a dataset as an item, and the cursor of a pass that lists it; raises as `ref` does."""
        found, date = await self._state(partition)
        cursor = Cursor(msgspec.json.encode(_Seen(found.version, found.updated_at)).decode())
        before = _seen(since)
        if before is not None and before.version != found.version and before.newest == found.updated_at and date:
            # Something left, and nothing else moved: no time tells when, so only an export from now on is without it.
            # The header knows no parts of a second.
            found = replace(found, updated_at=date + timedelta(seconds=1))
        return found, cursor

    async def ref(self, partition: PartitionKey) -> AnnotationRef:
        """Return the export of a dataset as an item: its version follows the state of every asset.

        Raises:
            PartitionGone: the dataset is gone.
        """
        return (await self._state(partition))[0]

    async def _state(self, partition: PartitionKey) -> tuple[AnnotationRef, datetime | None]:
        """Return the item, and the server's time when its state was last looked at."""
        sum_of_states, newest, date = 0, None, None
        listing = Listing(self.api, partition.project, self.options.page_size)
        async with aclosing(listing.assets("assets", None)) as pages:
            async for page in pages:
                date = page.date
                for listed in page.assets:
                    state = listed.asset.state() if listed.asset is not None else ""
                    # A sum, so that the order in which assets are listed says nothing.
                    sum_of_states += int.from_bytes(hashlib.sha256(f"{listed.id} {state}".encode()).digest()[:8], "big")
                    changed = listed.asset.changed_at if listed.asset is not None else None
                    newest = max((each for each in (newest, changed) if each is not None), default=None)
        kind = self.options.export_format
        state = json.dumps([sum_of_states % 2**64, self._spec])
        found = AnnotationRef(
            ItemKey(EXPORT, partition.project, None, None, kind),
            hashlib.sha256(state.encode()).hexdigest()[:16],
            newest,
            fields={"format": kind, "filename": f"{partition.project}-{kind}.zip"},
            media_type="application/zip",
        )
        return found, date

    async def open(self, ref: AnnotationRef) -> Body | ItemFailed:
        """Return the archive of an export that is at least as new as the data."""
        dataset = ref.key.project
        try:
            listed = ref if ref.updated_at is not None and ref.version else await self.ref(ref.key.partition)
            data = await self.archive(listed, damage)
            return Body(replace(listed, key=ref.key), data, listed.media_type, listed.version)
        except PartitionGone as error:
            return ItemFailed(ref.key, str(error), origin=self.origin)
        except NotFound as error:
            gone = isinstance(missing_dataset(dataset, error), PartitionGone)
            return ItemFailed(ref.key, "the export was deleted" if gone else str(error), origin=self.origin)
        except HttpError as error:
            return ItemFailed(ref.key, str(error), origin=self.origin)

    async def archive(self, listed: AnnotationRef, check: Check) -> bytes | SpooledFile:
        """Return the archive of an export that is at least as new as the data, once `check` says nothing against it.

        A file stays for the next process until it is discarded.

        Raises:
            PartitionGone, HttpError: there is none now.
        """
        dataset = listed.key.project
        export = await self._finished(dataset, await self._current(dataset, listed.updated_at))
        name = export.dataset_export_id

        async def renew() -> str:
            link = (await self._look(dataset, name)).link
            if link is None:
                raise Unavailable(f"the platform's export {name} has no link any more")
            return link

        key = f"{self.origin} {self.api.dataset(dataset)} {name}"
        data = await self.api.http.download_parts(Request(export.link or "", content=True), key, renew, check)
        if isinstance(data, bytes):
            reason = await anyio.to_thread.run_sync(partial(check, io.BytesIO(data)))
            if reason is not None:
                raise BadBody(reason)
        return data

    @property
    def _spec(self) -> dict[str, object]:
        options = {"normalized": self.options.export_normalized, "splitRatio": self.options.export_split}
        return {"format": self.options.export_format, "options": options}

    def _path(self, dataset: str) -> str:
        return f"{self.api.dataset(dataset)}/datasetExports"

    async def _current(self, dataset: str, newest: datetime | None) -> Export:
        """Return the newest export of this form that is newer than the data and has not failed, else a new one."""
        before = await self._all(dataset)
        fresh = [each for each in before if self._serves(each, newest)]
        if fresh:
            return max(fresh, key=lambda each: each.metadata.time_created)
        request = Request(
            f"{self.api.url}{self._path(dataset)}", method="POST", json={"spec": self._spec}, auth=self.api.auth,
            # It is not idempotent: repeated blindly, it would make the platform work twice.
            expect=JSON, attempts=1,
        )  # fmt: skip
        try:
            return _decoded((await self.api.send(request)).body)
        except (Unavailable, BadBody):
            known = {each.dataset_export_id for each in before}
            made = [each for each in await self._all(dataset) if each.dataset_export_id not in known]
            mine = [each for each in made if each.spec == self._spec and each.failure is None]
            if not mine:
                raise
            return mine[-1]

    def _serves(self, export: Export, newest: datetime | None) -> bool:
        made = moment_of(export.metadata.time_created)
        is_newer = newest is not None and made is not None and made >= newest
        return is_newer and export.spec == self._spec and export.failure is None

    async def _all(self, dataset: str) -> Sequence[Export]:
        found: list[Export] = []
        async with aclosing(self.api.pages(self._path(dataset), [("s", "100")])) as pages:
            async for page in pages:
                found += [_decoded(row) for row in page.rows]
        return found

    async def _look(self, dataset: str, export: str) -> Export:
        return _decoded((await self.api.get(f"{self._path(dataset)}/{export}")).body)

    async def _finished(self, dataset: str, export: Export) -> Export:
        """Wait until an export has ended well.

        Raises:
            Unavailable: it failed, or takes longer than `export_deadline`.
        """
        until, pause = self.clock.monotonic() + self.options.export_deadline, FIRST
        while True:
            name = export.dataset_export_id
            if (failure := export.failure) is not None:
                raise Unavailable(f"the platform's export {name} failed: {failure[:200]}")
            if export.link is not None:
                return export
            if self.clock.monotonic() >= until:
                hint = "it goes on there: the next run waits for the same one; or raise export_deadline"
                raise Unavailable(f"the platform's export {name} is not finished in time", hint=hint)
            await self.clock.sleep(pause)
            pause = min(LONGEST, pause * GROWTH)
            export = await self._look(dataset, name)


def damage(archive: Path | IO[bytes]) -> str | None:
    """Return what is wrong with an archive: every member is read and its checksum compared; None if nothing is."""
    try:
        with zipfile.ZipFile(archive) as opened:
            broken = opened.testzip()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        return f"the archive of the export is damaged: {str(error)[:200]}"
    return f"the archive of the export is damaged: {broken[:200]!r} has another checksum" if broken else None


def _seen(cursor: Cursor | None) -> _Seen | None:
    try:
        return None if cursor is None else _SEEN.decode(cursor)
    except msgspec.DecodeError:
        return None


def _decoded(body: bytes) -> Export:
    try:
        return _EXPORT.decode(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"an export can't be read: {str(error)[:200]}") from error
