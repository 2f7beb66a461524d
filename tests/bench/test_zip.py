"""The zip sink against the standard library's `zipfile` and against bare deflate: entries and bytes a CPU second.

Run with `-m bench -s`. Both are measured in one run; only their ratio is held.
"""

import hashlib
import json
import os
import random
import time
import zipfile
from pathlib import Path

import pytest

from syncer.flow.write import WORTHWHILE as BATCH
from syncer.model.entries import Content, Entry
from syncer.sinks.zip64 import deflate
from tests.support.archives import Book, zip_sink
from tests.support.stored import key

COUNT, GROUP = 20_000, 960


def documents() -> list[tuple[str, bytes]]:
    """Return label documents of about 8 kB in the shape of OpenLABEL, the same in every run."""
    dice = random.Random(8)
    kinds = ("Car", "Pedestrian", "Truck", "Cyclist", "TrafficSign")

    def cuboid(number: int) -> dict[str, object]:
        return {
            "name": f"cuboid-{number}",
            "val": [round(dice.uniform(-80, 80), 4) for _ in range(10)],
            "attributes": {
                "boolean": [{"name": "occluded", "val": dice.random() < 0.2}, {"name": "moving", "val": True}],
                "text": [{"name": "stream", "val": "lidar"}, {"name": "class", "val": dice.choice(kinds)}],
            },
        }

    def document(number: int) -> bytes:
        objects = {
            f"{dice.getrandbits(64):016x}": {"object_data": {"cuboid": [cuboid(index)]}, "type": dice.choice(kinds)}
            for index in range(22)
        }
        frame = {"frame_properties": {"timestamp": number * 100}, "objects": objects}
        return json.dumps({"openlabel": {"metadata": {"schema_version": "1.0.0"}, "frames": {"0": frame}}}).encode()

    return [(f"scene-{number:06d}.json", document(number)) for number in range(COUNT)]


def deflated(body: bytes) -> bytes:
    """Compress a document with the same engine and level, and do nothing else."""
    data: bytes = deflate._engine.compress(body, deflate.LEVEL, -15)
    return data


@pytest.mark.bench
@pytest.mark.timeout(600)
async def test_throughput_against_the_standard_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Writing and publishing 20,000 documents of 8 kB costs less than half the CPU of `zipfile`, syncs included."""
    corpus = documents()
    entries = [Entry(key(name), "1", name, Content(body)) for name, body in corpus]

    start = time.process_time()
    with zipfile.ZipFile(tmp_path / "standard.zip", "w", zipfile.ZIP_DEFLATED) as standard:
        for name, body in corpus:
            standard.writestr(name, body)
    theirs = time.process_time() - start

    start = time.process_time()
    for _, body in corpus:
        deflated(body)
    bare = time.process_time() - start

    start = time.process_time()
    for _, body in corpus:
        deflated(body)
        deflate.crc32(body, 0)
        hashlib.sha256(body).hexdigest()
    least = time.process_time() - start

    book = Book(zip_sink(tmp_path / "out", durability="batch"))
    session = await book.session()
    start, wall = time.process_time(), time.perf_counter()
    for first in range(0, COUNT, BATCH):
        await session.write(entries[first : first + BATCH])
        if first % GROUP < BATCH:
            await session.seal()
    await book.commit()
    written = time.process_time() - start
    await book.publish()
    ours, wall = time.process_time() - start, time.perf_counter() - wall
    await book.leave()

    volume = sum(len(body) for _, body in corpus)
    figures = {
        "document_bytes": volume // COUNT,
        "standard_entries_per_cpu_second": round(COUNT / theirs),
        "written_entries_per_cpu_second": round(COUNT / written),
        "published_entries_per_cpu_second": round(COUNT / ours),
        "published_entries_per_second": round(COUNT / wall),
        "standard_size": (tmp_path / "standard.zip").stat().st_size,
        "our_size": (tmp_path / "out" / "x.zip").stat().st_size,
        "ratio": round(theirs / ours, 2),
        "written_ratio": round(theirs / written, 2),
        "deflate_megabytes_per_cpu_second": round(volume / bare / 1e6),
        "written_megabytes_per_cpu_second": round(volume / written / 1e6),
        "published_megabytes_per_cpu_second": round(volume / ours / 1e6),
        "share_of_bare_deflate": round(bare / ours, 2),
        # A manifest needs the sha256 of each document, an archive its checksum.
        "share_of_deflate_and_digests": round(least / ours, 2),
    }
    with capsys.disabled():
        print()
        for name, figure in figures.items():
            print(f"{name:<40} {figure:>14,}")
    target = Path(os.environ.get("SYNCER_TEST_BENCH", tmp_path)) / "bench-zip.json"
    target.write_text(json.dumps(figures, indent=1))
    assert figures["ratio"] > 2
