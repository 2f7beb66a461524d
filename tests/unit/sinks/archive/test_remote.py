"""Archives read by ranges: the right bytes, few requests, no more than a few blocks in memory."""

import random

import pytest
from anyio import to_thread

from syncer.blobs.memory import MemoryBlobs
from syncer.sinks.archive.remote import RemoteArchive
from syncer.sinks.zip64.readable import keep, length_of, read_at, tag_of

BLOCK = 1000


@pytest.fixture
async def archive(monkeypatch: pytest.MonkeyPatch) -> tuple[RemoteArchive, bytes, list[tuple[int, int]]]:
    """Return an object of 20,300 bytes, its content, and the ranges that are asked for."""
    blobs, data = MemoryBlobs(), random.Random(1).randbytes(20_300)
    await blobs.put("x.zip", data)
    info = await blobs.stat("x.zip")
    assert info is not None
    asked: list[tuple[int, int]] = []
    read = blobs.read

    def counting(name: str, start: int = 0, stop: int | None = None) -> object:
        assert stop is not None
        asked.append((start, stop))
        return read(name, start, stop)

    monkeypatch.setattr(blobs, "read", counting)
    return RemoteArchive(blobs, info, block=BLOCK), data, asked


async def test_any_span_is_what_the_object_holds(archive: tuple[RemoteArchive, bytes, list[tuple[int, int]]]) -> None:
    """Within a block, over several, over the end, behind it, and nothing; also after blocks were given up and kept."""
    file, data, _ = archive
    assert (length_of(file), tag_of(file)) == (len(data), file.tag)
    dice = random.Random(2)

    def look() -> None:
        for turn in range(400):
            start, size = dice.randrange(len(data) + 500), dice.choice([0, 1, 7, 500, 1000, 4200, 30_000])
            assert read_at(file, size, start) == data[start : start + size], (turn, start, size)
            if turn == 200:
                keep(file, 15_500)

    await to_thread.run_sync(look)


async def test_a_directory_first_and_then_all_of_it_is_read_once(
    archive: tuple[RemoteArchive, bytes, list[tuple[int, int]]],
) -> None:
    """What is kept is not asked for again when everything passes by, however small the pieces are."""
    file, data, asked = archive

    def look() -> None:
        read_at(file, 4000, 16_300)
        keep(file, 16_300)
        for start in range(0, len(data), 130):
            read_at(file, 130, start)

    await to_thread.run_sync(look)
    assert sum(stop - start for start, stop in asked) == len(data)
    assert len(asked) <= 18


async def test_what_is_asked_for_at_once_is_one_request(
    archive: tuple[RemoteArchive, bytes, list[tuple[int, int]]],
) -> None:
    """A large piece over many blocks comes in one answer, whatever is kept afterwards."""
    file, data, asked = archive
    assert await to_thread.run_sync(read_at, file, 15_000, 2500) == data[2500:17_500]
    assert asked == [(2000, 18_000)]
    assert len(file._blocks) <= 16
    await to_thread.run_sync(read_at, file, 10, 20_000)
    assert len(file._blocks) <= 6
