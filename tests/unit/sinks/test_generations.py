"""Former generations: known exactly for as long as they are kept, whatever merges come in between."""

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.blobs.folder import FolderBlobs
from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, GenerationGone
from syncer.model.rows import encode_row
from syncer.ports import Head, ManifestRow
from syncer.sinks import generations, heads
from syncer.sinks import manifest as manifest_module
from syncer.sinks.manifest import JobManifest
from tests.support.stored import StillClock, key


def row(item: str, version: str, op: str = "put") -> bytes:
    """Return a line of a segment."""
    put = ManifestRow(op, key(item), version, f"7/{item}.json", None, 3, "ab" * 32, {}, "run", "2026-03-01T12:00:00Z")
    return encode_row(put)


class Story:
    """A manifest that is written to at random, and what it said at each generation."""

    def __init__(self, folder: Path, *, history: bool = False) -> None:
        """Begin with nothing."""
        self.clock = StillClock()
        self.blobs = FolderBlobs(folder)
        self.manifest = JobManifest(self.blobs, "street", "lake", self.clock, history=history, lasting=True)
        self.dice = random.Random(20261128)
        self.said: dict[int, tuple[dict[str, tuple[str, str]], dict[str, Container]]] = {0: ({}, {})}
        self.seq = 0

    async def step(self) -> None:
        """Let one to three items change in some unit, and perhaps an archive."""
        unit, lines = self.dice.choice("789"), []
        for _ in range(self.dice.randint(1, 3)):
            self.seq += 1
            op = self.dice.choice(["put", "put", "put", "delete", "withdraw"])
            lines.append(row(f"{unit}-{self.dice.randint(1, 12)}", str(self.seq), op))
        ref = await self.manifest.put_segment(unit, 1, self.seq, lines)
        name = f"{self.dice.randint(1, 3)}.zip"
        containers = [Container(name, str(self.seq), self.seq, "ab" * 32)] if self.dice.random() < 0.3 else []
        dropped = [f"{self.dice.randint(1, 3)}.zip"] if self.dice.random() < 0.1 else []
        await self.manifest.move_head(segments=[ref], containers=containers, dropped=dropped)
        await self.look()

    async def look(self) -> None:
        """Note what HEAD says now."""
        head = await self.manifest.head()
        assert head is not None
        self.said[head.generation] = await self.read(head)

    async def read(self, head: Head) -> tuple[dict[str, tuple[str, str]], dict[str, Container]]:
        """Return what a generation says: operation and version by item, and its archives."""
        rows = {one.key.item: (one.op, one.version) async for _, one in self.manifest.rows(head)}
        return {item: said for item, said in rows.items() if said[0] != "delete"}, dict(head.containers)


@pytest.mark.parametrize("history", [False, True])
async def test_every_generation_reads_as_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: bool) -> None:
    """A hundred moves with merges in between, in HEAD and in files: each generation still says what it said."""
    monkeypatch.setattr(manifest_module, "_MANY", 4)
    monkeypatch.setattr(generations, "_STEPS", 8)
    story = Story(tmp_path / "root", history=history)
    for number in range(100):
        await story.step()
        if number % 30 == 29:
            await story.manifest.merge()
    document, _ = await heads.HeadFile(story.blobs, "_manifest/street", "street", story.clock).read()
    assert document is not None
    assert len(document.steps) <= 16
    assert len(document.logs) > 4
    assert len(document.segments) < 40
    for generation, said in story.said.items():
        assert await story.read(await story.manifest.at(generation)) == said, generation


async def test_what_is_too_old_is_refused_in_words_and_its_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that they are kept, former generations are gone, with their segments and their history."""
    monkeypatch.setattr(manifest_module, "_MANY", 4)
    monkeypatch.setattr(generations, "_STEPS", 4)
    story = Story(tmp_path / "root")
    for _ in range(40):
        await story.step()
    old = max(story.said)
    story.clock.at += timedelta(days=8)
    for _ in range(2):
        await story.step()
    with pytest.raises(GenerationGone, match=r"is not known any more: its history goes back to \d+"):
        await story.manifest.at(old - 1)
    assert await story.read(await story.manifest.at(old)) == story.said[old]
    with pytest.raises(GenerationGone, match="there is no generation 10000 yet"):
        await story.manifest.at(10_000)
    head = await story.manifest.head()
    assert head is not None
    folder = tmp_path / "root/_manifest/street"
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jsonl")}
    assert {ref.name for ref in head.segments} <= left
    assert len(left) <= len(head.segments) + 8
    assert list((folder / "generations").iterdir()) == []


async def test_a_lost_file_of_the_history_is_a_gap_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generations behind a missing or changed file of steps are not known; those after it are."""
    monkeypatch.setattr(generations, "_STEPS", 4)
    story = Story(tmp_path / "root")
    for _ in range(30):
        await story.step()
    logs = sorted((tmp_path / "root/_manifest/street/generations").iterdir())
    logs[-1].write_bytes(logs[-1].read_bytes().replace(b"7/", b"8/"))
    with pytest.raises(GenerationGone, match="not known any more"):
        await story.manifest.at(3)
    last = max(story.said)
    assert await story.read(await story.manifest.at(last - 3)) == story.said[last - 3]


async def test_a_doctored_history_leads_nowhere(tmp_path: Path) -> None:
    """Steps that name files outside the destination are refused as any other name would be."""
    story = Story(tmp_path / "root")
    await story.step()
    file = tmp_path / "root/_manifest/street/HEAD.json"
    for field, value in (
        ("steps", [{"generation": 2, "before": 1, "at": "", "added": ["../../etc/passwd.jsonl"]}]),
        ("going", ["../owner.json"]),
        ("going", ["HEAD.json"]),
        ("logs", [{"name": "/etc/passwd", "first": 1, "last": 2, "until": "", "sha256": ""}]),
        ("snapshots", {"../../x": {"generation": 1, "at": "", "sha256": "ab"}}),
        ("rewriting", ["../x.zip"]),
    ):
        before = json.loads(file.read_bytes())
        file.write_text(json.dumps({**before, field: value}))
        with pytest.raises(DestinationChanged, match="outside the destination"):
            await story.manifest.head()
        file.write_text(json.dumps(before))
