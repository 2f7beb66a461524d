"""Erasing from a bucket: objects, archives of each kind and their private corner; what the bucket may still hold."""

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.app.erasing import Erasure, erase
from syncer.app.library import open_syncer
from syncer.flow.job import RunOptions
from syncer.model.errors import Exit
from syncer.model.refs import ItemKey
from syncer.sources.memory import platform_named
from tests.support.buckets import Server
from tests.support.s3 import Bucket
from tests.support.traces import traces

PERSON, NAME = "item-of-a-person", "Ada-of-no-other-file"
KEY = ItemKey("annotation", "7", None, None, PERSON)

SINKS: Mapping[str, str] = {
    "objects": "{type: prefix, url: URL}",
    "versions": "{type: prefix, url: URL, versions: keep}",
    "spool": "{type: zip, url: URL}",
    "volumes": "{type: zip, url: URL, mode: append, upload: volumes}",
    "multipart": "{type: zip, url: URL, mode: delta, upload: multipart}",
}


@pytest.mark.parametrize("kind", SINKS)
async def test_nothing_is_left_in_a_bucket(
    tmp_path: Path, seaweed_server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """No object holds it afterwards, under whatever name, and passes that fetch everything leave it out."""
    for variable, value in seaweed_server.environment.items():
        monkeypatch.setenv(variable, value)
    name = uuid4().hex
    platform, bucket = platform_named(name, 5), Bucket(seaweed_server, name)
    config = tmp_path / "syncer.yaml"
    config.write_text(
        f"state: sqlite:state.db\nplatforms: {{mem: {{type: memory, platform: {name}}}}}\n"
        f"sinks: {{lake: {SINKS[kind].replace('URL', bucket.url)}}}\n"
        'jobs: {job: {platform: mem, select: {projects: ["7"]}, sinks: [lake]}}\n'
    )
    async with open_syncer(config) as syncer:
        for edit in range(2):
            platform.put(PERSON, b'{"name":"%s","edit":%d}' % (NAME.encode(), edit))
            assert (await syncer.sync("job")).exit_code() is Exit.DONE
        assert left(bucket)
        told, code = await erase(syncer, ["job"], Erasure([KEY]))
        assert code is Exit.DONE, told["unfinished"]
        assert left(bucket) == []
        assert traces(tmp_path, [NAME, PERSON]) == []
        assert (await syncer.sync("job", RunOptions(refetch=True))).counts.suppressed == 1
    assert left(bucket) == []
    (where,) = told["jobs"][0]["destinations"]
    assert where["store"]["versioning"] == "off"
    assert where["objects"] or where["archives"]


def left(bucket: Bucket) -> list[str]:
    """Return the names of objects that name the person, or hold the document, unpacked."""
    found: list[str] = []
    for name in bucket.names():
        data = bucket.read(name)
        texts = [name.encode(), data]
        if zipfile.is_zipfile(BytesIO(data)):
            with zipfile.ZipFile(BytesIO(data)) as archive:
                texts += [text for each in archive.namelist() for text in (each.encode(), archive.read(each))]
        if any(needle.encode() in text for needle in (PERSON, NAME) for text in texts):
            found.append(name)
    return found
