"""Documents by their keys: from the link that was listed, from a new one, or from the annotation's own route."""

import mmap
from collections.abc import AsyncGenerator, Sequence
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
from syncer.sources.kognic.links import Aim, Links, Renew, read_hint
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


class Documents(msgspec.Struct, frozen=True):
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

    async def linked(self, link: str, name: str, aim: Aim | None = None) -> bytes | SpooledFile:
        """Return the document behind a signed link, or behind the one that `aim` gives when it is time.

        No credential of ours goes there.

        Raises:
            BadBody: it is not JSON.
            HttpError: it can't be had.
        """
        if aim is not None and origin_of(link) in self.api.auth.origins:
            # A new link could not be asked for while the slots of its own origin wait for it.
            link, aim = await aim(), None
        data = await self.http.download(Request(link, content=True, compressed=True, link=aim), name)
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
        """Return a document with the version that it has: the listed link, a new one, its own route."""
        hint = read_hint(ref.hint)
        scene, request = scene_of(ref.key.item)
        own_route = ref.key.annotation_type is not None and not request
        if hint is None and own_route:
            return await self._of_type(ref)
        if hint is not None and hint.paged:
            renew: Renew = partial(self.links.renewed, ref.key.partition, hint, scene, ref.version)
        else:
            renew = partial(self._row, ref)
        start, version = (hint.uri, ref.version) if hint is not None else await self._known_link(ref)
        aim = Aim(renew, self.links.usable, start, version)
        while True:
            try:
                return await self.linked(start, ref.key.canonical(), aim), aim.version
            except (*REFUSALS, PartitionGone) as error:
                aim.refused = aim.given
                if not aim.spent:
                    continue
                if own_route:
                    return await self._of_type(ref)
                if aim.gone:
                    raise _Gone from error
                raise

    async def _of_type(self, ref: AnnotationRef) -> tuple[bytes | SpooledFile, str]:
        """Return the one annotation of a scene and type; of several, the one of the listed version if it is there."""
        scene = ref.key.item
        try:
            data, version = await self.single(scene, ref.key.annotation_type or "")
        except NotFound as error:
            raise _Gone from error
        if version == ref.version or not ref.version:
            return data, version
        row = next((each for each in await self._annotations(scene) if each.created == ref.version), None)
        if row is None or row.uri is None:
            return data, version
        return await self.linked(row.uri, ref.key.canonical()), row.created

    async def _row(self, ref: AnnotationRef, refused: str | None = None) -> tuple[Found | None, bool]:
        """Return the row of an item that is known by its scene's route, as of now."""
        del refused
        scene, request = scene_of(ref.key.item)
        rows = await self._annotations(scene)
        if ref.key.annotation_type is None and len(rows) > 1:
            inputs, _ = await inputs_of(self.api, ref.key.partition, (scene,))
            ours = {each.uuid for each in inputs}
            rows = [row for row in rows if not row.input or row.input in ours]
        rows = [row for row in rows if request in {"", row.request}]
        return next((each for each in rows if each.created == ref.version), None) or newest(rows), True

    async def _known_link(self, ref: AnnotationRef) -> tuple[str, str]:
        """Return the link of an item that was listed without one, or long ago, and the version behind it."""
        row, _ = await self._row(ref)
        if row is None:
            raise _Gone
        if row.uri is None:
            message = "the platform serves no link for it"
            raise BadBody(message)
        return row.uri, row.created

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
