"""Deleting and copying in a bucket on a condition: what the client library of everything else can't ask for.

S3 takes such conditions (If-Match, If-None-Match), and is asked with the optional aiobotocore where that is installed.
Elsewhere the tag is compared just before: between the two requests somebody else may still have been there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from anyio import to_thread

from syncer.blobs.access import BucketAccess
from syncer.blobs.multipart import Uploads, installed, open_uploads
from syncer.blobs.places import Place
from syncer.model.errors import Conflict
from syncer.ports import Blobs


class Conditions(Protocol):
    """What changes an object only while it is what it must be; else `Conflict`."""

    async def delete(self, name: str, tag: str) -> None:
        """Delete what has a tag; nothing there is fine."""

    async def copy(self, source: str, name: str, tag: str | None) -> str:
        """Copy over what has a tag, or (None) over nothing; return the tag of the copy.

        Raises:
            FileNotFoundError: there is no such object.
        """


class Compared:
    """Conditions that are looked at just before."""

    def __init__(self, blobs: Blobs) -> None:
        """Take the store."""
        self._blobs = blobs

    async def delete(self, name: str, tag: str) -> None:
        """Delete what has a tag."""
        there = await self._blobs.stat(name)
        if there is not None and there.tag != tag:
            raise replaced(name)
        if there is not None:
            await self._blobs.delete_many([name])

    async def copy(self, source: str, name: str, tag: str | None) -> str:
        """Copy over what has a tag, or over nothing."""
        there = await self._blobs.stat(name)
        if (there.tag if there else None) != tag:
            raise replaced(name)
        return await self._blobs.copy(source, name)


class Sent:
    """Conditions that go with the request to S3; a server that knows none of them is compared with."""

    def __init__(self, client: Uploads, blobs: Blobs) -> None:
        """Take an open client, and the store."""
        self._client, self._blobs, self._compared = client, blobs, Compared(blobs)

    async def delete(self, name: str, tag: str) -> None:
        """Delete what has a tag."""
        values = {"Key": self._client.key(name), "IfMatch": f'"{tag}"'}
        try:
            await self._client.call("delete_object", values, refused={**_refused(name), "NoSuchKey": _AbsentError()})
        except _AbsentError:
            return
        except _UnknownError:
            await self._compared.delete(name, tag)

    async def copy(self, source: str, name: str, tag: str | None) -> str:
        """Copy over what has a tag, or over nothing."""
        values = {"Key": self._client.key(name), "CopySource": self._client.source(source), **self._client.kept()}
        values |= {"IfNoneMatch": "*"} if tag is None else {"IfMatch": f'"{tag}"'}
        absent = FileNotFoundError(source)
        try:
            await self._client.call(
                "copy_object", values, refused={**_refused(name), "NoSuchKey": absent, "404": absent}
            )
        except _UnknownError:
            return await self._compared.copy(source, name, tag)
        made = await self._blobs.stat(name)
        if made is None:
            raise replaced(name)
        return made.tag


class _AbsentError(Exception):
    """There is no such object."""


class _UnknownError(Exception):
    """The server knows no such condition."""


def _refused(name: str) -> dict[str, Exception]:
    conflict, unknown = replaced(name), _UnknownError()
    return {
        "PreconditionFailed": conflict, "412": conflict, "ConditionalRequestConflict": conflict, "409": conflict,
        "NotImplemented": unknown, "501": unknown,
    }  # fmt: skip


@asynccontextmanager
async def conditions(blobs: Blobs, place: Place, access: BucketAccess) -> AsyncIterator[Conditions]:
    """Return what a bucket offers."""
    if place.scheme == "s3" and await to_thread.run_sync(installed):
        async with open_uploads(place, access) as client:
            yield Sent(client, blobs)
    else:
        yield Compared(blobs)


def replaced(name: str) -> Conflict:
    """Return the error for an object that is not what it was."""
    return Conflict(f"{name} was replaced by somebody else")
