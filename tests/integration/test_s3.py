"""An S3 bucket as the destination, on a real server, through the command line."""

import json
import random
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.buckets import Server
from tests.support.command import fresh, start, syncer
from tests.support.destination import contents
from tests.support.s3 import Bucket

TASKS = 200


@pytest.fixture
def bucket(seaweed_server: Server) -> Bucket:
    """Return an empty prefix of a real bucket."""
    return Bucket(seaweed_server, uuid4().hex)


def account(platform: Remote, server: Server) -> Mapping[str, str]:
    """Return the variables that a user would set for both sides."""
    return {"LABEL_STUDIO_URL": platform.url, "LABEL_STUDIO_API_KEY": platform.token, **server.environment}


async def test_an_export_in_one_line(tmp_path: Path, bucket: Bucket) -> None:
    """A bucket gets what a folder gets; again nothing is fetched; verify and manifest read it without a state."""
    async with platform_process("--tasks", str(TASKS)) as platform:
        env = account(platform, bucket.server)
        line = ("export", "label_studio", "--project", "1", "-o", "json", "--to")
        first = syncer(*line, f"{bucket.url}/", cwd=tmp_path, env=env).ok().json()[0]
        syncer(*line, "out/", cwd=tmp_path, env=env).ok()
        assert first["counts"]["stored"] > 0
        assert bucket.contents() == contents(tmp_path / "out")
        again = syncer(*line, f"{bucket.url}/", cwd=tmp_path, env=env).ok().json()[0]["counts"]
        assert (again["stored"], again["requests"] < 10) == (0, True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    syncer("verify", "--deep", bucket.url, cwd=elsewhere, env=env).ok()
    # Without the variable the endpoint is an option of the destination.
    bare = {name: value for name, value in env.items() if name != "AWS_ENDPOINT_URL_S3"}
    there = ("--set", f"sink.endpoint={bucket.server.endpoint}")
    listed = syncer("manifest", bucket.url, *there, "-o", "jsonl", cwd=elsewhere, env=bare).ok().out
    rows = [json.loads(line) for line in listed.splitlines()]
    assert {row["path"]: row["sha256"] for row in rows} == bucket.contents()


async def test_objects_say_what_they_are(tmp_path: Path, bucket: Bucket) -> None:
    """Content type, version and sha256 stand with every object."""
    async with platform_process("--tasks", "5") as platform:
        env = account(platform, bucket.server)
        syncer("export", "label_studio", "--project", "1", "--to", bucket.url, cwd=tmp_path, env=env).ok()
    for name, sha256 in bucket.contents().items():
        said = bucket.head(name)
        assert said["ContentType"].startswith(("application/json", "application/xml", "text/"))
        assert said["Metadata"]["sha256"] == sha256
        assert said["Metadata"]["version"]


async def survive(tmp_path: Path, bucket: Bucket, *, kills: int, tasks: int) -> None:
    """Kill an export again and again, change the platform now and then, and compare with one that was left alone."""
    dice = random.Random(4)
    async with platform_process("--tasks", str(tasks), "--latency", "0.02") as platform:
        env = account(platform, bucket.server)
        line = ("export", "label_studio", "--project", "1", "--set", "page_size=50", "--progress", "none", "-q", "--to")
        started = time.monotonic()
        fresh("status", cwd=tmp_path, env=env)
        idle = time.monotonic() - started
        done = 0
        while done < kills:
            process = start(*line, bucket.url, cwd=tmp_path, env=env)
            try:
                process.wait(idle * dice.uniform(0.8, 2) + dice.uniform(0, 0.6))
            except subprocess.TimeoutExpired:
                process.kill()
                done += 1
            else:
                # Measured while the machine was busy: a process that is always done by then is never killed.
                idle *= 0.9
            _, errors = process.communicate()
            assert process.returncode in {0, -9}, errors.decode()
            if dice.random() < 0.3:
                new = [{"data": {"image": f"/n/{dice.random()}.png"}, "annotations": [{"result": []}]}] * 20
                await platform.ask("POST", "/api/projects/1/import", new)
        syncer(*line, bucket.url, cwd=tmp_path, env=env, timeout=300).ok()
        syncer(*line, "calm/", cwd=tmp_path, env=env, timeout=300).ok()
    assert bucket.contents() == contents(tmp_path / "calm")
    assert bucket.uploads() == []
    syncer("verify", "--deep", bucket.url, cwd=tmp_path, env=env).ok()


@pytest.mark.slow
async def test_kills_change_nothing(tmp_path: Path, bucket: Bucket) -> None:
    """Three kills at random instants: the same objects as undisturbed, none twice, none leaked."""
    await survive(tmp_path, bucket, kills=3, tasks=400)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_forty_kills_change_nothing(tmp_path: Path, bucket: Bucket) -> None:
    """Forty kills at random instants: the same objects as undisturbed, none twice, none leaked."""
    await survive(tmp_path, bucket, kills=40, tasks=2000)


async def test_wrong_keys_are_told_without_them(tmp_path: Path, bucket: Bucket) -> None:
    """A wrong secret ends with 77 and what to do; neither key stands in what is said."""
    async with platform_process("--tasks", "3") as platform:
        env = {**account(platform, bucket.server), "AWS_SECRET_ACCESS_KEY": "a-wrong-secret-key"}
        line = ("export", "label_studio", "--project", "1", "-v", "--to", bucket.url)
        ended = syncer(*line, cwd=tmp_path, env=env)
    assert (ended.code, "hint: " in ended.err) == (Exit.PERMISSION, True)
    assert "a-wrong-secret-key" not in ended.err
    assert bucket.names() == []
