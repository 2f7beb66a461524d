"""README's page about reading: every example runs, with syncer and without it, and finds exactly what is current."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import anyio.to_thread
import pytest

from syncer.app.reading import read
from tests.support import readme
from tests.support.buckets import Server
from tests.support.reading import Stored
from tests.support.s3 import Bucket
from tests.support.tree import ROOT


def example(word: str) -> str:
    """Return the example that a word stands in."""
    (found,) = [code for code in readme.snippets("python") if word in code]
    return found


async def ran(code: str, folder: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run an example in a folder, as its reader would; return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
    line = [sys.executable, "-W", "error", "-W", "ignore:unclosed file:ResourceWarning", "-c", code]

    def call() -> str:
        done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return await anyio.to_thread.run_sync(call)


async def lived(folder: Path, url: str | None = None) -> Stored:
    """Store labels, then corrections, deletions and withdrawals, run by run."""
    stored = Stored(folder, "prefix", items=30, url=url)
    stored.name = "street"
    await stored.sync()
    for number in range(20):
        stored.platform.put(str(number % 7 + 1), b'{"edit":%d}' % number)
        if number in {3, 9}:
            stored.platform.delete(str(number + 10))
            stored.platform.withdraw(str(number + 11))
        await stored.sync()
    return stored


async def test_training_reads_all_of_it(tmp_path: Path) -> None:
    """The loop prints each label once, and the batches of three epochs are parsed."""
    stored = await lived(tmp_path)
    said = (await ran(example("for epoch in range"), tmp_path)).splitlines()
    assert sorted(line.split()[0] for line in said) == sorted(stored.truth())


async def test_workers_read_their_shares(tmp_path: Path) -> None:
    """The data set of the example, sent to three workers: together they read each label once."""
    stored = await lived(tmp_path)
    code = (
        example("IterableDataset")
        + "\nimport pickle\n"
        + "data = pickle.dumps(Labels('labels').reading)\n"
        + "for number in range(3):\n"
        + "    labels = Labels('labels')\n"
        + "    labels.reading = pickle.loads(data)\n"
        + "    for label in labels.__iter__(number, 3):\n"
        + "        print(label.key.item)\n"
    )
    assert sorted((await ran(code, tmp_path)).split()) == sorted(stored.truth())


async def test_duckdb_reads_it(tmp_path: Path) -> None:
    """Plain DuckDB merges the manifest to the same rows."""
    await lived(tmp_path)
    code = example("duckdb.sql").replace("print(current)", "print(json.dumps(current.fetchall()))")
    found = [tuple(row) for row in json.loads(await ran(code, tmp_path))]
    async with read(str(tmp_path / "labels")) as labels:
        expected = sorted([(row.key.item, row.op, row.path, row.sha256) async for row in labels.rows()])
    assert sorted(found) == expected
    assert len(expected) == 26


async def test_boto3_reads_it(tmp_path: Path, seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain boto3 does the same in a bucket, and syncer does from the same variables."""
    bucket = Bucket(seaweed_server, uuid4().hex)
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    stored = await lived(tmp_path, bucket.url)
    place = {"BUCKET": seaweed_server.bucket, "ROOT": bucket.prefix, "AWS_ENDPOINT_URL": seaweed_server.endpoint}
    said = (await ran(example("import boto3"), tmp_path, {"AWS_DEFAULT_REGION": "us-east-1", **place})).splitlines()
    assert sorted(line.split()[0] for line in said) == sorted(f"{item}.json" for item in stored.truth())
    async with read(bucket.url) as labels:
        assert {label.key.item async for label in labels} == stored.truth().keys()
