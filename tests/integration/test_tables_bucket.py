"""Tables in a real S3 bucket: the same rows as in a folder, in one line, and again after changes."""

from pathlib import Path
from uuid import uuid4

import pyarrow.dataset as ds
import pytest
from pyarrow.fs import S3FileSystem

from syncer.app.reading import read
from syncer.demo.platform.process import platform_process
from tests.support.buckets import Server
from tests.support.command import syncer
from tests.support.destination import contents
from tests.support.s3 import Bucket


def rows(bucket: Bucket, folder: Path) -> dict[str, str]:
    """Return the sha256 of each row's document by path; nothing but tables and manifest may lie there."""
    folder.mkdir()
    for name in bucket.names():
        if not name.startswith("_manifest/"):
            (folder / name).write_bytes(bucket.read(name))
    return contents(folder)


@pytest.mark.parametrize("name", ["labels.parquet", pytest.param("labels.jsonl.zst", marks=pytest.mark.slow)])
async def test_a_table_in_one_line(tmp_path: Path, seaweed_server: Server, name: str) -> None:
    """A bucket gets the same rows as a folder, before and after a deletion; verify and readers find them."""
    bucket = Bucket(seaweed_server, uuid4().hex)
    keys = seaweed_server.environment
    async with platform_process("--tasks", "60") as platform:
        env = {"LABEL_STUDIO_URL": platform.url, "LABEL_STUDIO_API_KEY": platform.token, **keys}
        line = ("export", "label_studio", "--project", "1", "-q", "--max-delete", "9", "--full", "--to")
        url = f"{bucket.url}/{name}"
        for turn in ("first", "second"):
            syncer(*line, url, cwd=tmp_path, env=env).ok()
            syncer(*line, f"local/{name}", cwd=tmp_path, env=env).ok()
            local = contents(tmp_path / "local")
            assert len(local) > 10
            assert rows(bucket, tmp_path / turn) == local
            listing = await platform.ask("GET", "/api/tasks?project=1&page_size=5&page=last&fields=all")
            await platform.ask("DELETE", f"/api/tasks/{listing['tasks'][0]['id']}/")
    syncer("verify", "--deep", url, cwd=tmp_path, env=keys).ok()
    storage = {
        "endpoint": seaweed_server.endpoint, "region": "us-east-1", "access_key": keys["AWS_ACCESS_KEY_ID"],
        "secret_key": keys["AWS_SECRET_ACCESS_KEY"],
    }  # fmt: skip
    async with read(bucket.url, storage=storage) as labels:
        found = {label.path async for label in labels.items()}
    assert found == {path for path in local if not path.startswith("_context/")}
    if name.endswith(".parquet"):
        files = S3FileSystem(
            access_key=keys["AWS_ACCESS_KEY_ID"], secret_key=keys["AWS_SECRET_ACCESS_KEY"], scheme="http",
            endpoint_override=seaweed_server.endpoint.removeprefix("http://"), region="us-east-1",
        )  # fmt: skip
        table = ds.dataset(f"{bucket.server.bucket}/{bucket.prefix}/{name}", filesystem=files).to_table(["path"])
        assert set(table["path"].to_pylist()) == local.keys()
