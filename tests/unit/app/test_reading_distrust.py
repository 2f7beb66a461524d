"""A destination that somebody doctored: whatever its manifest says, nothing outside is touched, and words are said."""

import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncer.app.reading import read
from syncer.model.errors import DestinationChanged, NotNow, SettingsError, SyncerError, TooLarge
from tests.support.reading import Stored, digests

Row = dict[str, Any]


def doctored(folder: Path, change: Callable[[Row], None]) -> None:
    """Change the row of item 3, with segment, digest and HEAD to fit: only the row itself is a lie."""
    manifest = folder / "labels/_manifest/job"
    head = json.loads((manifest / "HEAD.json").read_bytes())
    for segment in head["segments"]:
        file = manifest / segment["name"]
        first, *lines = file.read_bytes().splitlines()
        rows = [json.loads(line) for line in lines]
        for row in rows:
            if row["key"]["item"] == "3":
                change(row)
        body = b"\n".join([first, *(json.dumps(row).encode() for row in rows), b""])
        file.write_bytes(body)
        segment["sha256"] = hashlib.sha256(body).hexdigest()
    (manifest / "HEAD.json").write_text(json.dumps(head))


def head_of(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change HEAD."""
    file = folder / "labels/_manifest/job/HEAD.json"
    head = json.loads(file.read_bytes())
    change(head)
    file.write_text(json.dumps(head))


async def refused(stored: Stored) -> SyncerError:
    """Return what reading all of it is refused with."""
    with pytest.raises(SyncerError) as caught:
        async with read(stored.url, patience=0) as labels:
            digests([label async for label in labels])
    assert isinstance(caught.value, DestinationChanged | NotNow | SettingsError | TooLarge)
    return caught.value


LIES: dict[str, Callable[[Row], None]] = {
    "a path that climbs": lambda row: row.update(path="../secret.json"),
    "an absolute path": lambda row: row.update(path="/etc/passwd"),
    "a path of Windows": lambda row: row.update(path="C:secret.json"),
    "a path into the manifest": lambda row: row.update(path="_manifest/job/HEAD.json"),
    "a container that climbs": lambda row: row.update(container="../../all.zip"),
    "a container that HEAD does not name": lambda row: row.update(container="other.zip"),
    "a kind of container that is unknown": lambda row: row.update(container="all.exe"),
    "a wrong digest": lambda row: row.update(sha256="00" * 32),
    "no digest": lambda row: row.update(sha256="$(reboot)"),
    "a size that is too small": lambda row: row.update(size=1),
    "a size that is too large": lambda row: row.update(size=10_000),
    "a huge size": lambda row: row.update(size=2**61),
    "a size beyond numbers": lambda row: row.update(size=2**64),
    "a negative size": lambda row: row.update(size=-1),
    "no size": lambda row: row.update(size="1e9"),
    "an unknown operation": lambda row: row.update(op="exec"),
    "a key that is none": lambda row: row.update(key=[1]),
}


@pytest.mark.parametrize("shape", ["prefix", "current"])
@pytest.mark.parametrize("lie", LIES)
async def test_a_row_that_lies(tmp_path: Path, shape: str, lie: str) -> None:
    """Names that lead out, wrong digests and sizes: refused, and what lies outside is not even opened."""
    stored = Stored(tmp_path, shape)
    await stored.sync()
    secret = tmp_path / "secret.json"
    secret.write_bytes(b"secret")
    os.utime(secret, (1, 1))
    doctored(tmp_path, LIES[lie])
    error = await refused(stored)
    assert str(error)
    assert secret.stat().st_atime == 1


HEADS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a segment outside": lambda head: head["segments"][0].update(name="../../../secret.jsonl"),
    "a segment with a huge number of rows": lambda head: head["segments"][0].update(rows=2**60),
    "a segment with rows beyond numbers": lambda head: head["segments"][0].update(rows=2**70),
    "a segment with fewer rows": lambda head: head["segments"][0].update(rows=3),
    "a segment with another digest": lambda head: head["segments"][0].update(sha256="00" * 32),
    "a segment that is not there": lambda head: head["segments"][0].update(name="7/none.jsonl"),
    "an archive outside": lambda head: head["containers"].update(
        {"../x.zip": {"tag": "", "size": 1, "sha256": "00" * 32}}
    ),
    "no generation": lambda head: head.update(generation=-1),
    "another format": lambda head: head.update(format=99),
    "no segments": lambda head: head.update(segments={"a": 1}),
    "steps that lead out": lambda head: head.update(
        steps=[{"generation": 1, "before": 0, "at": "", "added": ["../../x.jsonl"]}]
    ),
}


@pytest.mark.parametrize("lie", HEADS)
async def test_a_head_that_lies(tmp_path: Path, lie: str) -> None:
    """The same for HEAD: places, numbers and formats are checked before anything is read by them."""
    stored = Stored(tmp_path, "prefix")
    await stored.sync()
    head_of(tmp_path, HEADS[lie])
    assert str(await refused(stored))


async def test_a_segment_without_end(tmp_path: Path) -> None:
    """A segment that goes on behind what HEAD says, or has one line of gigabytes, is left where it is too much."""
    stored = Stored(tmp_path, "prefix")
    await stored.sync()
    (segment,) = (tmp_path / "labels/_manifest/job").rglob("*.jsonl")
    whole = segment.read_bytes()
    with segment.open("ab") as file:
        file.truncate(1 << 40)  # holes take no room
    assert "line is too long" in str(await refused(stored))
    segment.write_bytes(whole + whole.split(b"\n")[1] * 3 + b"\n" * 50)
    assert "more rows than HEAD says" in str(await refused(stored))


async def test_an_archive_that_is_a_bomb(tmp_path: Path) -> None:
    """An entry that unpacks to more than its row says is not unpacked, whatever its directory claims."""
    stored = Stored(tmp_path, "current")
    await stored.sync()
    (archive,) = (tmp_path / "labels").glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, b"\0" * (64 << 20) if name == "3.json" else b"{}")
    assert "can't be read" in str(await refused(stored)) or "is not what" in str(await refused(stored))
    # The directory lies about the size, so that it looks like what the row says.
    body = archive.read_bytes()
    true = struct.pack("<I", 64 << 20)
    assert true in body
    archive.write_bytes(body.replace(true, struct.pack("<I", 300)))
    assert str(await refused(stored))


async def test_an_object_that_grew(tmp_path: Path) -> None:
    """An object that is larger than its row says is not taken into memory."""
    stored = Stored(tmp_path, "prefix")
    await stored.sync()
    (tmp_path / "labels/3.json").write_bytes(b"{")
    os.truncate(tmp_path / "labels/3.json", 1 << 40)
    assert "3.json" in str(await refused(stored))


async def test_a_link_that_leads_out(tmp_path: Path) -> None:
    """A folder that became a link to somewhere else is not followed."""
    stored = Stored(tmp_path, "prefix")
    stored.options["path"] = "in/{item}.json"
    await stored.sync()
    (tmp_path / "labels/in").rename(tmp_path / "outside")
    (tmp_path / "labels/in").symlink_to(tmp_path / "outside")
    assert "leads out" in str(await refused(stored))
