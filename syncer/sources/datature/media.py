"""Files of assets: by signed links that lapse, which are asked for without any credential, and checked when they came.

A link lives in memory from the listing to the download, never in the checkpoint: it is a key to the file.
"""

import base64
import binascii
import hashlib
import json
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import msgspec
from msgspec import Raw
from msgspec.structs import replace

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
from syncer.model.refs import MEDIA, AnnotationRef, GroupKey, ItemKey, PartitionKey
from syncer.ports import Request
from syncer.sources.datature.api import Api, missing_dataset
from syncer.sources.datature.documents import fields_of
from syncer.sources.datature.wire import Asset, moment_of

#: Asks for signed links beside the assets.
WITH_LINKS = ("contents", "y")
#: Links that are remembered from listings, and files that are held at a time: each may be some megabytes.
KEPT, HELD = 4096, 16
#: Hashes that can be checked, by the names that a platform may give them.
_HASHES = {"md5": "md5", "sha1": "sha1", "sha-1": "sha1", "sha256": "sha256", "sha-256": "sha256"}
#: The manifest column of a hash: `md5:…`.
HASH = "hash"
#: What a lapsed or withdrawn link answers.
_LAPSED = (Unauthorized, Forbidden, NotFound, Rejected)


class _Link(msgspec.Struct):
    url: str = ""


class _Links(msgspec.Struct):
    asset: _Link = msgspec.field(default_factory=_Link)


class _Hash(msgspec.Struct):
    algorithm: str = ""
    contents: str = ""


class _Generations(msgspec.Struct):
    asset: str = ""


class _Metadata(msgspec.Struct, rename="camel"):
    file_size: int | None = None
    mime_type: str = ""
    hash: _Hash = msgspec.field(default_factory=_Hash)
    generations: _Generations = msgspec.field(default_factory=_Generations)
    contents_last_updated: int | float = 0


class _File(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    contents: _Links = msgspec.field(default_factory=_Links)


_FILE = msgspec.json.Decoder(_File)
_SLICES = msgspec.json.Decoder(dict[str, Raw])


@dataclass(slots=True)
class Media:
    """The files of one organization's assets."""

    api: Api
    origin: str
    _links: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict, init=False)
    _held: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(HELD), init=False)

    def ref(self, partition: PartitionKey, asset: Asset, raw: bytes) -> AnnotationRef:
        """Return the file of a listed asset as an item, and remember its link."""
        found = _facts(raw)
        if found.contents.asset.url:
            self._links[partition.project, asset.asset_id] = found.contents.asset.url
            if len(self._links) > KEPT:
                self._links.popitem(last=False)
        meta = found.metadata
        known: list[object] = [meta.hash.contents] if meta.hash.contents else [meta.generations.asset, meta.file_size]
        state = known if any(known) else [meta.contents_last_updated]
        return AnnotationRef(
            ItemKey(MEDIA, partition.project, partition.batch, None, asset.asset_id),
            hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16],
            moment_of(asset.metadata.time_created),
            size=meta.file_size,
            fields={**fields_of(asset), **_hash_field(meta.hash)},
            group=GroupKey(asset.asset_id),
            media_type=meta.mime_type or "application/octet-stream",
        )

    async def open(self, ref: AnnotationRef) -> Body | ItemFailed:
        """Return a file, checked against what the platform says of it."""
        project, asset = ref.key.project, ref.key.item
        try:
            async with self._held:
                link = self._links.pop((project, asset), None)
                if link is not None:
                    with suppress(*_LAPSED, BadBody):
                        return await self._checked(ref, link)
                return await self._renewed(ref)
        except NotFound as error:
            gone = isinstance(missing_dataset(project, error), PartitionGone)
            return ItemFailed(ref.key, "deleted upstream" if gone else str(error), origin=self.origin, gone=gone)
        except HttpError as error:
            return ItemFailed(ref.key, str(error), origin=self.origin)

    async def _renewed(self, ref: AnnotationRef) -> Body | ItemFailed:
        """Ask for a new link, and follow it."""
        response = await self.api.get(self.api.asset(ref.key.project, ref.key.item), [WITH_LINKS])
        self._links.pop((ref.key.project, ref.key.item), None)
        try:
            listed = self.ref(ref.key.partition, msgspec.json.decode(response.body, type=Asset), response.body)
        except msgspec.DecodeError as error:
            return ItemFailed(ref.key, f"its asset can't be read: {str(error)[:200]}", origin=self.origin)
        link = self._links.pop((ref.key.project, ref.key.item), None)
        if link is None:
            return ItemFailed(ref.key, "the platform offers no link to its file", origin=self.origin)
        try:
            return await self._checked(replace(listed, key=ref.key), link, listed.version)
        except _LAPSED as error:
            # The file's own 404 says nothing about the asset.
            return ItemFailed(ref.key, str(error), origin=self.origin)

    async def _checked(self, ref: AnnotationRef, link: str, version: str | None = None) -> Body:
        """Return what lies behind a link.

        Raises:
            BadBody: it has another size, or another hash, than the platform says.
            HttpError: it can't be had.
        """
        data = await self.api.http.download(Request(link, content=True), ref.key.canonical())
        size = len(data) if isinstance(data, bytes) else data.size
        if ref.size is not None and size != ref.size:
            await _drop(data)
            raise BadBody(f"the file of asset {ref.key.item} has {size:,} bytes, not {ref.size:,} as the platform says")
        if not await anyio.to_thread.run_sync(_matches, data, ref.fields.get(HASH, "")):
            await _drop(data)
            raise BadBody(f"the file of asset {ref.key.item} has another hash than the platform says")
        return Body(replace(ref, inline=None, hint=None), data, ref.media_type, version)


async def _drop(data: bytes | SpooledFile) -> None:
    """Remove a file that nobody will take."""
    if isinstance(data, SpooledFile):
        await anyio.Path(data.path).unlink(missing_ok=True)


def _hash_field(found: _Hash) -> dict[str, str]:
    name = _HASHES.get(found.algorithm.casefold())
    return {HASH: f"{name}:{found.contents}"} if name and found.contents else {}


def _matches(data: bytes | SpooledFile, expected: str) -> bool:
    """Tell whether a file has the hash that is expected, as hexadecimal digits or in base64; none always fits."""
    name, _, told = expected.partition(":")
    if not told:
        return True
    if isinstance(data, bytes):
        digest = hashlib.new(name, data, usedforsecurity=False).digest()
    else:
        with data.path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).digest()
    with suppress(ValueError, binascii.Error):
        return digest == (bytes.fromhex(told) if len(told) == 2 * len(digest) else base64.b64decode(told))
    return False


def without_links(raw: bytes) -> bytes:
    """Return an asset without its signed links, otherwise to the letter."""
    slices = _SLICES.decode(raw)
    if "contents" not in slices:
        return raw
    kept = [b"%b:%b" % (json.dumps(key).encode(), bytes(each)) for key, each in slices.items() if key != "contents"]
    return b"{" + b",".join(kept) + b"}"


def _facts(raw: bytes) -> _File:
    try:
        return _FILE.decode(raw)
    except ValueError:
        # Nobody promised these fields: without them there is no link, no size and no hash.
        return _File()
