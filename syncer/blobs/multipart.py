"""Multipart uploads to S3, step by step, so that another process can go on with them: with the optional aiobotocore.

Everything else that happens in a bucket goes through `objects`; only these calls are missing in its client library.
"""

import importlib
import importlib.util
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
from anyio import to_thread

from syncer.blobs.access import BucketAccess
from syncer.blobs.places import Place, endpoint_of
from syncer.blobs.refusals import store_failed
from syncer.model.errors import SettingsError

#: A part of an upload: its ETag, and its bytes.
PartInfo = tuple[str, int]


class Uploads:
    """Multipart uploads below one root. Names are relative, as with `Blobs`."""

    def __init__(self, client: Any, place: Place, access: BucketAccess) -> None:  # noqa: ANN401  # of an optional package
        """Take an open client; `open_uploads` makes it."""
        self._client, self._place, self._access = client, place, access

    async def begin(self, name: str, media_type: str) -> str:
        """Begin an upload; return its id."""
        options = {"Key": self.key(name), "ContentType": media_type, **self.kept()}
        answer = await self.call("create_multipart_upload", options)
        return str(answer["UploadId"])

    async def put(self, name: str, upload: str, number: int, data: bytes) -> str:
        """Write or replace one part, from 1 on; return its ETag."""
        answer = await self.call(
            "upload_part",
            {
                "Key": self.key(name),
                "UploadId": upload,
                "PartNumber": number,
                "Body": data,
                "ContentLength": len(data),
            },
        )
        return str(answer["ETag"]).strip('"')

    async def copy(self, name: str, upload: str, number: int, source: str, size: int) -> str:
        """Let the first bytes of an object be one part, without moving them; return its ETag."""
        answer = await self.call(
            "upload_part_copy",
            {
                "Key": self.key(name),
                "UploadId": upload,
                "PartNumber": number,
                "CopySource": self.source(source),
                "CopySourceRange": f"bytes=0-{size - 1}",
            },
        )
        return str(answer["CopyPartResult"]["ETag"]).strip('"')

    async def parts(self, name: str, upload: str) -> set[tuple[int, PartInfo]] | None:
        """Return the parts that are there, None if the upload has ended.

        Of a part that was replaced some servers list both; what counts is the tag that `complete` is given.
        """
        found: set[tuple[int, PartInfo]] = set()
        marker = 0
        while True:
            answer = await self.call(
                "list_parts", {"Key": self.key(name), "UploadId": upload, "PartNumberMarker": marker}, ended=True
            )
            if answer is None:
                return None
            for part in answer.get("Parts", ()):
                found.add((part["PartNumber"], (str(part["ETag"]).strip('"'), part["Size"])))
            if not answer.get("IsTruncated"):
                return found
            marker = answer["NextPartNumberMarker"]

    async def complete(self, name: str, upload: str, tags: Sequence[str]) -> bool:
        """Make an object of the parts, atomically; False if the upload had ended already."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        answer = await self.call(
            "complete_multipart_upload",
            {"Key": self.key(name), "UploadId": upload, "MultipartUpload": {"Parts": parts}},
            ended=True,
        )
        return answer is not None

    async def abort(self, name: str, upload: str) -> None:
        """Give an upload up, with its parts; one that has ended is fine."""
        await self.call("abort_multipart_upload", {"Key": self.key(name), "UploadId": upload}, ended=True)

    async def listed(self, folder: str) -> list[tuple[str, str]]:
        """Return name and id of every upload under way below a folder."""
        prefix = self.key(f"{folder}/")
        found: list[tuple[str, str]] = []
        where: dict[str, str] = {}
        while True:
            answer = await self.call("list_multipart_uploads", {"Prefix": prefix, **where})
            there = [(str(one["Key"]), str(one["UploadId"])) for one in answer.get("Uploads", ())]
            found += [
                (f"{folder}/{key.removeprefix(prefix)}", upload) for key, upload in there if key.startswith(prefix)
            ]
            if not answer.get("IsTruncated") or not there:
                return found
            # Some servers leave the markers out.
            where = {
                "KeyMarker": answer.get("NextKeyMarker") or there[-1][0],
                "UploadIdMarker": answer.get("NextUploadIdMarker") or there[-1][1],
            }

    async def versioning(self) -> str:
        """Return whether the bucket keeps older versions: `enabled`, `suspended` or `off`."""
        return str((await self.call("get_bucket_versioning", {})).get("Status") or "off").lower()

    async def object_lock(self) -> str:
        """Return whether objects can be locked against deletion: `enabled` or `off`."""
        code = "ObjectLockConfigurationNotFoundError"
        answer = await self.call("get_object_lock_configuration", {}, absent=frozenset({code}))
        return "off" if answer is None else str(answer["ObjectLockConfiguration"]["ObjectLockEnabled"]).lower()

    def key(self, name: str) -> str:
        """Return what an object is called in the bucket."""
        return f"{self._place.prefix}/{name}" if self._place.prefix else name

    def kept(self) -> dict[str, str]:
        """Return how the service shall keep a new object."""
        access = self._access
        wanted = {"ServerSideEncryption": access.encryption, "SSEKMSKeyId": access.kms_key,
                  "StorageClass": access.storage_class}  # fmt: skip
        return {name: value for name, value in wanted.items() if value is not None}

    def source(self, name: str) -> dict[str, str]:
        """Return how an object is named that is copied from."""
        return {"Bucket": self._place.bucket, "Key": self.key(name)}

    async def call(
        self, method: str, values: Mapping[str, object], *, ended: bool = False, absent: Collection[str] = (),
        refused: Mapping[str, Exception] = {},
    ) -> Any:  # noqa: ANN401  # plain dictionaries  # fmt: skip
        """Send one request. None is the answer for codes in `absent`; with `ended`, if the upload is none any more.

        `refused` says what to raise for some codes of the service.
        """
        fine = {"NoSuchUpload", "404", *absent} if ended else absent
        with _refusals(self._place.url):
            try:
                return await getattr(self._client, method)(Bucket=self._place.bucket, **values)
            except self._client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code in fine:
                    return None
                if code in refused:
                    raise refused[code] from None
                raise


def installed() -> bool:
    """Tell whether the optional package is there. Blocking."""
    return importlib.util.find_spec("aiobotocore") is not None


@asynccontextmanager
async def open_uploads(place: Place, access: BucketAccess) -> AsyncIterator[Uploads]:
    """Open a client for multipart uploads to a bucket of S3; credentials by the same chain as everywhere.

    Raises on entering:
        SettingsError: the package is not installed, or the access can't be right.
    """
    session, options = await to_thread.run_sync(_loaded, place, access)
    if access.ca_file is not None:
        options["verify"] = str(access.ca_file)
    if access.access_key is not None and access.secret_key is not None:
        options["aws_access_key_id"] = access.access_key.reveal()
        options["aws_secret_access_key"] = access.secret_key.reveal()
        if access.session_token is not None:
            options["aws_session_token"] = access.session_token.reveal()
    async with session.create_client("s3", **options) as client:
        yield Uploads(client, place, access)


def _loaded(place: Place, access: BucketAccess) -> tuple[Any, dict[str, Any]]:
    """Load the package, and all that its client reads from disk, away from the event loop."""
    endpoint = endpoint_of(place, access)
    try:
        session = importlib.import_module("aiobotocore.session").AioSession(profile=access.profile)
        config = importlib.import_module("aiobotocore.config").AioConfig(
            # Its waits double, so that attempts grow with the logarithm of the time that they may take.
            retries={"mode": "standard", "total_max_attempts": 1 + int(access.retry_budget).bit_length()},
            connect_timeout=10, read_timeout=60,
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
            proxies=None if access.proxy is None else dict.fromkeys(("http", "https"), access.proxy.reveal()),
        )  # fmt: skip
        unsigned = importlib.import_module("botocore").UNSIGNED
    except ImportError as error:
        message = f"{place.url}: `upload: multipart` needs the optional package aiobotocore"
        raise SettingsError(message, hint="pip install 'annotation-syncer[multipart]'") from error
    options: dict[str, Any] = {"endpoint_url": endpoint}
    if access.region is not None:
        options["region_name"] = access.region

    async def read_once() -> None:
        # The package keeps what it has read; without a signature it needs no credentials for that.
        async with session.create_client(
            "s3", config=config.merge(type(config)(signature_version=unsigned)), **options
        ):
            pass

    anyio.run(read_once)
    return session, {**options, "config": config}


@contextmanager
def _refusals(url: str) -> Iterator[None]:
    """Turn what the client raises into our words."""
    # There whenever this is called: a client of the package is.
    errors = importlib.import_module("botocore.exceptions")
    try:
        yield
    except errors.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise store_failed(ValueError(f"status: {status} <Code>{code}</Code>"), url) from None
    except (errors.BotoCoreError, OSError, TimeoutError) as error:
        raise store_failed(error, url) from None
