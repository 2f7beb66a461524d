"""Documents by their keys: from the link that was listed, from a new one, or from the annotation's own route."""

import mmap
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
import msgspec
from msgspec import Raw

from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import (
    BadBody,
    Forbidden,
    HttpError,
    ItemFailed,
    NotFound,
    PartitionGone,
    Rejected,
    Unauthorized,
)
from syncer.model.refs import CONTEXT, AnnotationRef, Partition
from syncer.net.ahead import together
from syncer.net.guard import origin_of
from syncer.ports import Clock, Http, Request
from syncer.sources.kognic.api import Api, segment
from syncer.sources.kognic.inputs import inputs_of
from syncer.sources.kognic.links import Hint, Links, read_hint
from syncer.sources.kognic.listing import ISO, annotations_of
from syncer.sources.kognic.naming import Found, newest, scene_of
from syncer.sources.kognic.projects import Projects
from syncer.sources.kognic.rows import Single, version_of

#: What a store says to a link that has run out, or was mutilated on its way.
REFUSALS = (Rejected, Unauthorized, Forbidden, NotFound)
#: Bytes above which a document is checked in a thread.
THREAD = 256 * 1024
#: Documents of one call of `open` that are fetched side by side.
AHEAD = 32


class _Gone(Exception):  # says what is, not what went wrong; never leaves this file
    """The platform has no such annotation."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Opens references of any partition and any age."""

    http: Http
    api: Api
    links: Links
    projects: Projects
    clock: Clock
    iso: bool = False
    #: Whether the routes by scene are there; without them the one annotation of scene and type is all there is.
    scenes: bool = True

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one body or failure for each reference."""
        for outcome in await together([partial(self._outcome, ref) for ref in refs], AHEAD):
            yield outcome

    async def single(self, scene: str, kind: str) -> tuple[bytes | SpooledFile, str]:
        """Return the document of the one annotation of a scene and type, and its version.

        Raises:
            NotFound: the platform does not know the scene, or it has no such annotation yet.
            HttpError: it can't be had now.
        """
        path = f"/v1/annotations/inputs/{segment(scene)}/annotation-type/{segment(kind)}"
        answer = (await self.api.get(path, [ISO] if self.iso else [])).read(Single)
        version = version_of(answer.created)
        content = bytes(answer.content)
        if content != b"null":
            return content, version
        if answer.uri is None:
            message = f"the platform serves neither content nor a link for scene {scene}"
            raise BadBody(message)
        return await self.linked(answer.uri, f"{scene} {kind}"), version

    async def linked(self, link: str, name: str) -> bytes | SpooledFile:
        """Return the document behind a signed link. No credential of ours goes there.

        Raises:
            BadBody: it is not JSON.
            HttpError: it can't be had.
        """
        data = await self.http.download(Request(link, content=True, compressed=True), name)
        if isinstance(data, bytes) and len(data) <= THREAD:
            _check(data)
        else:
            await anyio.to_thread.run_sync(_check, data)
        return data

    async def _outcome(self, ref: AnnotationRef) -> Body | ItemFailed:
        try:
            if ref.key.kind == CONTEXT:
                return await self._context(ref)
            data, version = await self._document(ref)
        except (_Gone, PartitionGone):
            return ItemFailed(ref.key, "deleted or invalidated upstream", origin=self.api.url, gone=True)
        except BadBody as error:
            return ItemFailed(ref.key, str(error), origin=self.api.url)
        except HttpError as error:
            return ItemFailed(ref.key, _reason(error, ref), origin=self.api.url)
        return Body(ref, data, version=version)

    async def _context(self, ref: AnnotationRef) -> Body | ItemFailed:
        async for context in self.projects.context(Partition(ref.key.partition)):
            if context.key == ref.key:
                return Body(context, context.inline or b"", version=context.version)
        raise _Gone

    async def _document(self, ref: AnnotationRef) -> tuple[bytes | SpooledFile, str]:
        """Return a document with the version that it has: the listed link first, then ever dearer ways."""
        name, hint, refused = ref.key.canonical(), read_hint(ref.hint), None
        if hint is not None and self.links.usable(hint.uri):
            try:
                return await self.linked(hint.uri, name), ref.version
            except REFUSALS:
                refused = hint.uri
        if hint is not None and hint.paged:
            row = await self._renewed(ref, hint, refused)
            if row is not None and row.uri is not None and row.uri != refused:
                try:
                    return await self.linked(row.uri, name), row.created
                except REFUSALS:
                    # Not the link's age, then: the annotation's own route may still have it.
                    pass
        return await self._asked(ref)

    async def _renewed(self, ref: AnnotationRef, hint: Hint, refused: str | None) -> Found | None:
        try:
            return await self.links.renewed(ref.key.partition, hint, scene_of(ref.key.item)[0], ref.version, refused)
        except (NotFound, Rejected, PartitionGone):
            # The page is not there any more: listings move while they are read.
            return None

    async def _asked(self, ref: AnnotationRef) -> tuple[bytes | SpooledFile, str]:
        scene, request = scene_of(ref.key.item)
        kind = ref.key.annotation_type
        if kind is not None and not request:
            try:
                data, version = await self.single(scene, kind)
            except NotFound as error:
                raise _Gone from error
            # Of several annotations of a scene and type, this route serves one, perhaps another one.
            if version == ref.version or not ref.version or not self.scenes:
                return data, version
            found = [row for row in await self._annotations(scene) if row.created == ref.version]
            if not found:
                return data, version
        else:
            found = [row for row in await self._of_partition(ref, scene) if request in {"", row.request}]
        row = next((each for each in found if each.created == ref.version), None) or newest(found)
        if row is None:
            raise _Gone
        if row.uri is None:
            message = f"the platform serves no link for scene {scene}"
            raise BadBody(message)
        return await self.linked(row.uri, ref.key.canonical()), row.created

    async def _of_partition(self, ref: AnnotationRef, scene: str) -> list[Found]:
        rows = await self._annotations(scene)
        if ref.key.annotation_type is not None or len(rows) < 2:  # noqa: PLR2004  # nothing to tell apart
            return rows
        inputs, _ = await inputs_of(self.api, ref.key.partition, (scene,))
        ours = {each.uuid for each in inputs}
        return [row for row in rows if not row.input or row.input in ours]

    async def _annotations(self, scene: str) -> list[Found]:
        return await annotations_of(self.api, scene, iso=self.iso) if self.scenes else []


def _check(data: bytes | SpooledFile) -> None:
    """Return if a document is JSON.

    Raises:
        BadBody: it is not.
    """
    try:
        if isinstance(data, bytes):
            msgspec.json.decode(data, type=Raw)
            return
        with data.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            msgspec.json.decode(mapped, type=Raw)
    except (ValueError, RecursionError) as error:
        words = "it nests too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        message = f"the document is not JSON: {words}"
        raise BadBody(message) from error


def _reason(error: HttpError, ref: AnnotationRef) -> str:
    """Return why, without what differs from item to item: alike failures must look alike."""
    text = str(error)
    hint = read_hint(ref.hint)
    if error.status is None or hint is None:
        return text
    return f"{origin_of(hint.uri)} answered {error.status}" if origin_of(hint.uri) in text else text
