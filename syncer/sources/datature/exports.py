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
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO

import anyio.to_thread
import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import BadBody, HttpError, ItemFailed, NotFound, PartitionGone, Unavailable
from syncer.model.refs import EXPORT, AnnotationRef, Cursor, ItemKey, PartitionKey
from syncer.ports import Clock, Request
from syncer.sources.datature.api import JSON, Api, missing_dataset
from syncer.sources.datature.freshness import GRAIN, Standing
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.wire import moment_of

#: Seconds before the second look at an export, how the pauses grow, and the longest.
FIRST, GROWTH, LONGEST = 1.0, 1.5, 30.0


#: The manifest column of the moment that an export has to be as new as.
AS_OF = "as_of"

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


_EXPORT = msgspec.json.Decoder(Export)


class Exports(msgspec.Struct, frozen=True):
    """The exports of one organization's datasets."""

    api: Api
    options: DatatureOptions
    clock: Clock
    #: For messages.
    origin: str

    async def listed(
        self, partition: PartitionKey, since: Cursor | None, *, held: bool
    ) -> tuple[AnnotationRef, Standing]:
        """Return the export of a dataset as an item, and what the dataset looks like; `held`: one is stored.

        Raises:
            PartitionGone: the dataset is gone.
        """
        found = await self._standing(partition)
        return self._ref(partition, found, found.as_of(since, held=held)), found

    async def again(self, asked: AnnotationRef) -> AnnotationRef | None:
        """Return the export that an item which was listed before stands for; None if the data moved on since.

        Raises:
            PartitionGone: the dataset is gone.
        """
        found = await self._standing(asked.key.partition)
        ref = self._ref(
            asked.key.partition, found, _latest(_moment(asked.fields.get(AS_OF)) or found.from_now_on, found.newest)
        )
        return ref if asked.version in {"", ref.version} else None

    async def member_of(self, partition: PartitionKey, as_of: Sequence[str]) -> AnnotationRef:
        """Return the newest export that members can be taken from which were listed before; raises as `listed`."""
        found = await self._standing(partition)
        moments = [_moment(each) or found.from_now_on for each in as_of]
        return self._ref(partition, found, _latest(*moments, found.newest))

    async def _standing(self, partition: PartitionKey) -> Standing:
        return await Standing.of(Listing(self.api, partition.project, self.options.page_size))

    def _ref(self, partition: PartitionKey, found: Standing, as_of: datetime | None) -> AnnotationRef:
        """Return the item; its version follows the state of every asset."""
        kind = self.options.export_format
        told = {AS_OF: as_of.isoformat()} if as_of is not None else {}
        return AnnotationRef(
            ItemKey(EXPORT, partition.project, None, None, kind),
            hashlib.sha256(json.dumps([found.digest, self._spec]).encode()).hexdigest()[:16],
            as_of,
            fields={"format": kind, "filename": f"{partition.project}-{kind}.zip", **told},
            media_type="application/zip",
        )

    async def open(self, ref: AnnotationRef) -> Body | ItemFailed:
        """Return the archive of an export that is at least as new as the data."""
        dataset = ref.key.project
        try:
            listed = ref if ref.updated_at is not None and ref.version else await self.again(ref)
            if listed is None:
                return ItemFailed(ref.key, "the data moved on since it was listed", origin=self.origin)
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
        before, date = await self._all(dataset)
        fresh = [each for each in before if self._serves(each, newest)]
        if fresh:
            return max(fresh, key=lambda each: each.metadata.time_created)
        if newest is not None and date is not None and newest > date:
            # Made in the second in which the assets were listed, it would look as old as that.
            await self.clock.sleep(min((newest - date).total_seconds(), GRAIN.total_seconds()))
        request = Request(
            f"{self.api.url}{self._path(dataset)}", method="POST", json={"spec": self._spec}, auth=self.api.auth,
            # It is not idempotent: repeated blindly, it would make the platform work twice.
            expect=JSON, attempts=1,
        )  # fmt: skip
        try:
            return _decoded((await self.api.send(request)).body)
        except (Unavailable, BadBody):
            known = {each.dataset_export_id for each in before}
            made = [each for each in (await self._all(dataset))[0] if each.dataset_export_id not in known]
            mine = [each for each in made if each.spec == self._spec and each.failure is None]
            if not mine:
                raise
            return mine[-1]

    def _serves(self, export: Export, newest: datetime | None) -> bool:
        made = moment_of(export.metadata.time_created)
        is_newer = newest is not None and made is not None and made >= newest
        return is_newer and export.spec == self._spec and export.failure is None

    async def _all(self, dataset: str) -> tuple[Sequence[Export], datetime | None]:
        """Return the exports, and the server's time."""
        found: list[Export] = []
        date: datetime | None = None
        async with aclosing(self.api.pages(self._path(dataset), [("s", "100")])) as pages:
            async for page in pages:
                date = date or page.date
                found += [_decoded(row) for row in page.rows]
        return found, date

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


def _latest(*moments: datetime | None) -> datetime | None:
    return max((each for each in moments if each is not None), default=None)


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None


def _decoded(body: bytes) -> Export:
    try:
        return _EXPORT.decode(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"an export can't be read: {str(error)[:200]}") from error
