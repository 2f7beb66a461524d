"""Care for what lies in a bucket: damage is found, named, and mended with the fewest fetches; owners are told apart."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio.to_thread
import pytest

from syncer.demo.platform_process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.buckets import Server
from tests.support.command import Ended, syncer
from tests.support.s3 import Bucket

CONFIG = """
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}}}
sinks:
  lake: {{type: prefix, url: {bucket}, {options}}}
jobs:
  street: {{platform: studio, select: {{projects: ["1"]}}, sinks: [lake]}}
"""


@dataclass
class Desk:
    """A folder with a configuration, a platform that runs, and the bucket that it writes to."""

    folder: Path
    platform: Remote
    bucket: Bucket

    def write(self, *, more: str = "", options: str = "on_delete: tombstone") -> None:
        """Write the configuration."""
        text = CONFIG.format(
            url=self.platform.url, token=self.platform.token, bucket=self.bucket.url, options=options
        )  # fmt: skip
        (self.folder / "syncer.yaml").write_text(text + more)

    async def run(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end, in a thread."""
        variables = {**self.bucket.server.environment, **(env or {})}
        return await anyio.to_thread.run_sync(lambda: syncer(*words, cwd=self.folder, env=variables))

    async def findings(self, *words: str) -> list[tuple[str, str]]:
        """Return kind and path of what verify finds; it must end as that asks for."""
        ended = await self.run("verify", *words, "-o", "json")
        found = [(row["finding"], row["path"]) for row in ended.json()]
        bad = [kind for kind, _ in found if kind != "extra"]
        assert ended.code == (Exit.DAMAGE if bad else Exit.DONE), ended.err
        return sorted(found)

    def items(self) -> list[str]:
        """Return the names of the label documents."""
        return sorted(name for name in self.bucket.names() if not name.startswith("_"))


@pytest.fixture
async def desk(tmp_path: Path, seaweed_server: Server) -> AsyncIterator[Desk]:
    """Return a desk whose job ran once."""
    async with platform_process("--tasks", "60") as platform:
        made = Desk(tmp_path, platform, Bucket(seaweed_server, uuid4().hex))
        made.write()
        (await made.run("sync", "-q")).ok()
        yield made


async def test_damage_is_found_and_mended_with_as_many_fetches(desk: Desk) -> None:
    """A flipped byte, a missing object and an extra one are found and named; repair fetches the first two, no more."""
    before = desk.bucket.contents()
    flipped, missing, *_ = desk.items()
    data = bytearray(desk.bucket.read(flipped))
    data[len(data) // 2] ^= 1
    desk.bucket.write(flipped, bytes(data))
    desk.bucket.delete(missing)
    desk.bucket.write("stray.json", b"{}")
    assert await desk.findings("--deep") == sorted(
        [("damaged", flipped), ("extra", "stray.json"), ("missing", missing)]
    )
    assert await desk.findings() == sorted([("extra", "stray.json"), ("missing", missing)])
    counts: Any = (await desk.run("repair", "street", "-o", "json")).ok().json()[0]["counts"]
    assert (counts["replayed"], counts["stored"]) == (2, 0)
    assert {**before, "stray.json": desk.bucket.contents()["stray.json"]} == desk.bucket.contents()
    assert await desk.findings("--deep") == [("extra", "stray.json")]


async def test_an_object_replaced_by_another_tool_is_named(desk: Desk) -> None:
    """Another size is seen in the listing, the same size by reading; both are named, with exit code 4."""
    first, second, *_ = desk.items()
    desk.bucket.write(first, b"somebody else's")
    desk.bucket.write(second, bytes(len(desk.bucket.read(second))))
    assert await desk.findings() == [("damaged", first)]
    assert await desk.findings("--deep") == [("damaged", first), ("damaged", second)]


async def test_a_manifest_changed_by_another_tool_is_named(desk: Desk) -> None:
    """A segment that is not what HEAD says ends verify with exit code 4, and names the segment."""
    segment = next(name for name in desk.bucket.names() if name.endswith(".jsonl"))
    desk.bucket.write(segment, desk.bucket.read(segment) + b"\n")
    ended = await desk.run("verify")
    assert (ended.code, segment.rpartition("/")[2] in ended.err) == (Exit.DAMAGE, True)


async def test_two_jobs_never_share_a_place(desk: Desk, tmp_path: Path) -> None:
    """A job of another state with the same claim is refused with 78, and both names are told."""
    other = tmp_path / "other"
    other.mkdir()
    rival = Desk(other, desk.platform, desk.bucket)
    rival.write()
    (other / "syncer.yaml").write_text((other / "syncer.yaml").read_text().replace("street:", "road:"))
    ended = await rival.run("sync")
    assert (ended.code, "'road'" in ended.err, "'street'" in ended.err) == (Exit.SETTINGS, True, True)
    (await desk.run("sync", "-q")).ok()


async def test_a_lost_state_is_read_back_from_the_bucket(desk: Desk) -> None:
    """Without its state the job reads the manifest back and fetches nothing that is stored."""
    before = desk.bucket.contents()
    for file in ("state.db", "state.db-wal", "state.db-shm"):
        (desk.folder / file).unlink(missing_ok=True)
    (await desk.run("state", "rebuild", "street")).ok()
    counts = (await desk.run("sync", "-o", "json")).ok().json()[0]["counts"]
    assert (counts["stored"], counts["owed"]) == (0, 0)
    assert desk.bucket.contents() == before


async def test_the_doctor_tries_the_bucket(desk: Desk) -> None:
    """It writes, reads, lists and deletes, leaves nothing behind, and says what is wrong with wrong keys."""
    before = desk.bucket.names()
    well = (await desk.run("doctor", "-o", "json")).ok().json()
    assert [row["result"] for row in well if row["what"] == "sink lake"] == ["ok"]
    assert desk.bucket.names() == before
    ill = await desk.run("doctor", "-o", "json", env={"AWS_SECRET_ACCESS_KEY": "wrong-secret"})
    (row,) = [row for row in ill.json() if row["what"] == "sink lake"]
    assert (ill.code, row["result"], bool(row["hint"])) == (Exit.PERMISSION, "failed", True)
    assert "wrong-secret" not in json.dumps(ill.json())


async def test_a_destination_is_handed_over(desk: Desk) -> None:
    """A renamed job takes its manifest along inside the bucket; nothing is fetched again."""
    before = desk.bucket.contents()
    text = (desk.folder / "syncer.yaml").read_text()
    (desk.folder / "syncer.yaml").write_text(text.replace("street:", "avenue:"))
    (await desk.run("state", "rename", "street", "avenue", "--yes")).ok()
    counts = (await desk.run("sync", "-o", "json")).ok().json()[0]["counts"]
    assert counts["stored"] == 0
    assert not any(name.startswith("_manifest/street/") for name in desk.bucket.names())
    assert await desk.findings("--deep") == []
    assert desk.bucket.contents() == before
