"""Dataset versions: frozen sets of inputs, known from the export that somebody made of them.

The platform lists a version's inputs nowhere else, and making an export is a write, which this tool never does. The
archive has inputs without their annotations' ids, status and times, so only the ids of the inputs are taken from it.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import quote

import anyio.to_thread
import msgspec

from syncer.model.entries import SpooledFile
from syncer.model.errors import BadBody, NotFound, SettingsError
from syncer.net.guard import origin_of
from syncer.ports import Request
from syncer.sources.clarifai.api import Api, missing
from syncer.sources.clarifai.codes import Status
from syncer.sources.clarifai.rows import Named

#: Status of an export that is there.
EXPORTED = 64200
#: Most bytes of one entry of an export, and of all of them.
MOST_ENTRY, MOST = 256 * 1024 * 1024, 16 * 1024 * 1024 * 1024
#: The entry that only says what kind of archive it is.
_KIND = "mimetype"


class _Export(msgspec.Struct):
    status: Status | None = None
    url: str = ""


class _Exports(msgspec.Struct):
    clarifai_data_json: _Export | None = None


class _Version(msgspec.Struct):
    export_info: _Exports | None = None


class _Answer(msgspec.Struct):
    dataset_version: _Version | None = None


class _Batch(msgspec.Struct):
    inputs: list[Named] = []


_BATCH = msgspec.json.Decoder(_Batch)


async def inputs_of_version(api: Api, app: str, name: str) -> list[str]:
    """Return the ids of the inputs of `DATASET/VERSION`, sorted.

    Raises:
        PartitionGone: there is no such version.
        SettingsError: it was never exported as Clarifai JSON.
        HttpError: it can't be read now.
    """
    dataset, _, version = name.partition("/")
    path = f"{api.path(app)}/datasets/{quote(dataset, safe='')}/versions/{quote(version, safe='')}"
    try:
        body = (await api.get(path)).body
    except NotFound as error:
        raise missing(f"version {name} of app {app}", error) from error
    try:
        found = msgspec.json.decode(body, type=_Answer).dataset_version
    except msgspec.DecodeError as error:
        raise BadBody(f"version {name} of app {app} can't be read") from error
    export = found.export_info.clarifai_data_json if found is not None and found.export_info is not None else None
    if export is None or not export.url or export.status is None or export.status.number != EXPORTED:
        message = f"version {name} of app {app} was not exported as Clarifai JSON"
        raise SettingsError(
            message, hint="export it once at Clarifai: making an export is a write, and this only reads"
        )
    # Whatever lies elsewhere is fetched as any public link, without the key.
    ours = origin_of(export.url) in api.auth.origins
    request = Request(export.url, auth=api.auth if ours else None, content=not ours)
    archive = await api.http.download(request, f"{app}-{version}")
    return await anyio.to_thread.run_sync(_read, archive, name)


def _read(archive: bytes | SpooledFile, name: str) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive.path) as opened:
            return sorted(set(_ids(opened)))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, msgspec.DecodeError) as error:
        raise BadBody(f"the export of version {name} can't be read: {str(error)[:200]}") from error
    finally:
        if isinstance(archive, SpooledFile):
            archive.path.unlink(missing_ok=True)


def _ids(opened: zipfile.ZipFile) -> Iterator[str]:
    total = 0
    for info in opened.infolist():
        if info.is_dir() or info.filename == _KIND:
            continue
        total += info.file_size
        if info.file_size > MOST_ENTRY or total > MOST:
            raise zipfile.BadZipFile(f"{info.filename} is too large")
        with opened.open(info) as entry:
            data = entry.read(MOST_ENTRY + 1)
        if len(data) > MOST_ENTRY:
            raise zipfile.BadZipFile(f"{info.filename} is larger than it says")
        yield from (each.id for each in _BATCH.decode(data).inputs if each.id)
