"""A prefix in a bucket as a store (S3, Google Cloud Storage, Azure). All peculiarities of the client end here.

Objects are complete or absent by the services' own promise, durable when a write returns, and listed at once; so there
is nothing to force to disk, and no temporary file. What two processes could both change moves by compare-and-swap.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from anyio import CapacityLimiter, create_task_group, current_time, sleep, to_thread

from syncer.blobs.access import BucketAccess
from syncer.blobs.clouds import Store
from syncer.blobs.conditions import conditions, replaced
from syncer.blobs.corners import copied, names_below
from syncer.blobs.objects_read import ObjectReader, guarded
from syncer.blobs.places import Place
from syncer.blobs.refusals import Absent, Refusal, Taken, missing_bucket, store_failed, too_soon, unanswered
from syncer.blobs.sizes import SINGLE
from syncer.blobs.uploads import LARGE, tag_of, upload
from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict, SyncerError, TooLarge
from syncer.ports import About

if TYPE_CHECKING:
    from obstore import PutMode

#: Names deleted by one request.
_NAMES = 1000
#: Seconds between attempts of a conditional write.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0

Body = bytes | SpooledFile


class ObjectBlobs(ObjectReader):
    """The door `Blobs` for a bucket."""

    def __init__(self, place: Place, access: BucketAccess) -> None:
        """Take a place and how it is reached; nothing is sent."""
        super().__init__(place, access)
        self._limiter = CapacityLimiter(access.concurrency)
        self._large = CapacityLimiter(LARGE)

    async def put_many(
        self, files: Sequence[tuple[str, Body]], scratch: str, *, about: Sequence[About] = (),
        match: Sequence[str | None] = (), create: bool = False,
    ) -> Sequence[str]:  # fmt: skip
        """Write or replace, several at a time; return tags. Of one name that stands twice, the last body counts."""
        for name in (scratch, *(name for name, _ in files)):
            guarded(name)
        store = await self._opened()
        last = {name: index for index, (name, _) in enumerate(files)}
        tags: dict[str, str] = {}
        waiting = iter(last.items())
        failed: list[Exception] = []

        async def work() -> None:
            try:
                for name, index in waiting:
                    body, words = files[index][1], about[index] if about else About()
                    tag = match[index] if match else None
                    async with self._limiter:
                        tags[name] = await self._write(store, name, body, words, create=create, match=tag)
            except (SyncerError, OSError) as error:
                # Others may fail alike: the first one tells all, and no group of errors is made of them.
                failed.append(error)
                workers.cancel_scope.cancel()

        async with create_task_group() as workers:
            for _ in range(min(len(last), self._access.concurrency)):
                workers.start_soon(work)
        if failed:
            raise failed[0]
        return [tags[name] for name, _ in files]

    async def sync(self) -> None:
        """Do nothing: an object is durable when its write returns."""

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Write one small object; return its tag.

        Raises:
            Conflict: with `create`, it is there with other bytes; with `match`, its tag is another.
        """
        if match is not None:
            return await self._conditional(guarded(name), data, match, About())
        return await self._write(await self._opened(), guarded(name), data, About(), create=create)

    async def adopt(self, path: Path, name: str) -> str:
        """Upload a complete local file under `name`, replacing atomically, and remove it; return the tag.

        An upload that is cut off is begun again by the next call: until then the file stays.
        """
        guarded(name)
        size = (await to_thread.run_sync(path.stat)).st_size
        store = await self._opened()
        async with self._limiter:
            tag = await self._write(store, name, SpooledFile(path, size, ""), About("application/zip"), create=False)
        await to_thread.run_sync(path.unlink)
        return tag

    async def delete_many(self, names: Sequence[str], scratch: str = "", *, match: Sequence[str] = ()) -> None:
        """Delete in bulk, or one by one on conditions; absent names are fine.

        Raises:
            Conflict: one has another tag than `match` says.
        """
        del scratch
        wanted = [guarded(name) for name in names]
        if not wanted:
            return
        store = await self._opened()
        if match:
            async with conditions(self, self._place, self._access) as conditional:
                for name, tag in zip(wanted, match, strict=True):
                    await conditional.delete(name, tag)
            return
        for start in range(0, len(wanted), _NAMES):
            batch = wanted[start : start + _NAMES]
            while batch:
                try:
                    await obstore.delete_async(store, batch)
                except Absent as error:
                    if missing_bucket(error):
                        raise store_failed(error, self.url) from None
                    # Azure and Google name the first absent one, S3 none: take those out that are really gone.
                    batch = await self._present(store, batch)
                    continue
                except Refusal as error:
                    raise store_failed(error, self.url) from None
                break

    async def take_scratch(self, scratch: str) -> None:
        """Do nothing: writes here have no temporary files."""
        guarded(scratch)

    async def clear_scratch(self, scratch: str) -> None:
        """Do nothing: writes here have no temporary files."""
        guarded(scratch)

    async def copy(self, source: str, name: str, *, create: bool = False, match: str | None = None) -> str:
        """Copy inside the bucket, replacing atomically; return the tag.

        Raises:
            FileNotFoundError: there is no such object.
            Conflict: what has that name is not what it must be.
        """
        guarded(name)
        if create or match is not None:
            async with conditions(self, self._place, self._access) as conditional:
                return await conditional.copy(guarded(source), name, match)
        try:
            return await copied(await self._opened(), guarded(source), name)
        except Absent as error:
            if missing_bucket(error):
                raise store_failed(error, self.url) from None
            raise FileNotFoundError(source) from error
        except Refusal as error:
            raise store_failed(error, self.url) from None

    async def remove_all(self, folder: str, *, until: str | None = None) -> None:
        """Delete everything below a folder, private names too; or what comes there up to a name."""
        try:
            names = await names_below(await self._opened(), guarded(folder))
        except Refusal as error:
            raise store_failed(error, self.url) from None
        top = len(folder) + 1
        await self.delete_many([one for one in names if until is None or one[top:].partition("/")[0] <= until])

    async def _present(self, store: Store, names: Sequence[str]) -> list[str]:
        found = [name for name in names if await self._head(store, name) is not None]
        if len(found) < len(names):
            return found
        # All are there, and yet one was absent: somebody puts and deletes meanwhile. One by one, then.
        for name in names:
            try:
                await obstore.delete_async(store, name)
            except Absent:
                continue
            except Refusal as error:
                raise store_failed(error, self.url) from None
        return []

    async def _write(
        self, store: Store, name: str, body: Body, about: About, *, create: bool, match: str | None = None
    ) -> str:
        size = len(body) if isinstance(body, bytes) else body.size
        if (create or match is not None) and (isinstance(body, bytes) or size <= SINGLE):
            data = body if isinstance(body, bytes) else await to_thread.run_sync(body.path.read_bytes)
            return await self._conditional(name, data, match, about)

        async def still() -> None:
            """Compare, as what goes in parts can't be conditional: before the first byte, and before the last."""
            there = await self._head(store, name) if create or match is not None else None
            if (create and there is not None) or (match is not None and (there is None or tag_of(there) != match)):
                raise replaced(name)

        await still()
        try:
            if size <= SINGLE:
                return await upload(store, name, body, self._attributes(about), self._bandwidth)
            async with self._large:
                return await upload(store, name, body, self._attributes(about), self._bandwidth, still)
        except Refusal as error:
            if isinstance(error, OSError) and isinstance(body, SpooledFile) and error.errno is not None:
                raise  # our own disk's
            raise store_failed(error, self.url) from None

    async def _conditional(self, name: str, data: bytes, match: str | None, about: About) -> str:
        """Create (no match), or replace what has a tag.

        The repetitions are ours: the client's own would meet what the first attempt wrote, and call it a conflict.
        """
        store = await self._opened(once=True)
        attributes = self._attributes(about)
        pause, end, unsure = _FIRST_PAUSE, current_time() + self._access.retry_budget, match is None
        while True:
            try:
                await self._bandwidth.take(len(data))
                mode = await self._mode(name, match)
                return tag_of(
                    await obstore.put_async(store, name, data, mode=mode, use_multipart=False, attributes=attributes)
                )
            except (Conflict, *Taken) as error:
                ours = await self._same(name, data) if unsure else None
                if ours is not None:
                    return ours
                if match is not None:
                    raise replaced(name) from error
                if await self.stat(name) is not None or current_time() > end:
                    raise Conflict(f"{name} is already there with other content") from error
                # Somebody tried the same at this moment, and did not succeed either.
            except Refusal as error:
                again = unanswered(error)
                if not (again or too_soon(error)) or current_time() > end:
                    raise store_failed(error, self.url) from None
                unsure = unsure or again
            await sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # spreads clients, protects nothing
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _mode(self, name: str, match: str | None) -> "PutMode":
        """Return the condition in the client's words.

        Raises:
            Conflict: it can't hold any more.
        """
        if match is None:
            return "create"
        if self._place.scheme != "gs":
            return {"e_tag": f'"{match}"'}
        # Google compares generations, which listings do not show: take the one that has this tag.
        found = await self._head(await self._opened(), name)
        if found is None or tag_of(found) != match:
            raise replaced(name)
        return {"version": found["version"]}

    async def _same(self, name: str, data: bytes) -> str | None:
        try:
            found = await self.get(name, len(data))
        except TooLarge:
            return None
        return found[1] if found is not None and found[0] == data else None

    def _attributes(self, about: About) -> dict[str, str]:
        found = {"Content-Type": about.media_type, **about.metadata}
        if self._access.storage_class is not None:
            found["Storage-Class"] = self._access.storage_class
        return found
