"""The journal of what grows: pieces come back as they were, and whatever is wrong with one is found."""

from collections.abc import Callable
from pathlib import Path

import pytest
from anyio import to_thread

from syncer.blobs.memory import MemoryBlobs
from syncer.model.errors import ContainerLost
from syncer.sinks.archive.corner import segment_name
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.journal import Journal
from syncer.sinks.archive.token import Mark
from syncer.sinks.zip64.deflate import pack
from tests.support.archives import folder_bytes

NAME = "a/x.zip"


async def written(folder: Path, blobs: MemoryBlobs) -> Mark:
    """Write three segments: entries, what becomes of older ones, both."""
    fresh, journal = Fresh(folder, NAME), Journal(blobs, NAME, 4)

    def seal(number: int, entries: int, drops: int) -> None:
        for entry in range(entries):
            fresh.add(f"{number}-{entry}.json", pack(b"document %d" % entry * 50))
        for drop in range(drops):
            fresh.note("drop", f"{number}-{drop}.json")
        fresh.seal(durable=False)

    for number, (entries, drops) in enumerate([(3, 0), (0, 2), (2, 1)]):
        await to_thread.run_sync(seal, number, entries, drops)
        await journal.append(fresh, folder)
    mark = fresh.sealed
    fresh.close()
    return mark


async def test_what_was_sealed_comes_back(tmp_path: Path) -> None:
    """Three segments give the same files, which the archive goes on from; an earlier mark gives the earlier ones."""
    blobs = MemoryBlobs()
    mark = await written(tmp_path / "one", blobs)
    journal = Journal(blobs, NAME, 5, ((4, 3),))
    await journal.restore(mark, tmp_path / "two" / NAME)
    assert folder_bytes(tmp_path / "two") == folder_bytes(tmp_path / "one")
    assert (journal.number, journal.mark) == (3, mark)
    resumed = await to_thread.run_sync(Fresh.resume, tmp_path / "two", NAME, mark)
    assert (resumed.entries, len(list(resumed.ops()))) == (5, 3)
    resumed.close()


def cut(data: bytes) -> bytes:
    """End too soon."""
    return data[:-10]


def headless(data: bytes) -> bytes:
    """End within the first line."""
    return data[:20]


def longer(data: bytes) -> bytes:
    """Go on behind the last piece."""
    return data + b"more"


def flipped(data: bytes) -> bytes:
    """Change one bit of the last byte."""
    return data[:-1] + bytes([data[-1] ^ 1])


def newer(data: bytes) -> bytes:
    """Say that another version wrote it."""
    return data.replace(b'"format":1', b'"format":2', 1)


def elsewhere(data: bytes) -> bytes:
    """Name a file that is none of an archive's."""
    return data.replace(b'".partial"', b'"/../../x"', 1)


@pytest.mark.parametrize("harm", [cut, headless, longer, flipped, newer, elsewhere, None])
async def test_a_piece_that_is_not_what_was_written_is_never_used(
    tmp_path: Path, harm: Callable[[bytes], bytes] | None
) -> None:
    """Cut, extended, changed, of another version, with a foreign name, or gone: the archive counts as lost."""
    blobs = MemoryBlobs()
    mark = await written(tmp_path / "one", blobs)
    name = segment_name(NAME, 4, 1)
    if harm is None:
        await blobs.delete_many([name])
    else:
        await blobs.put(name, harm(blobs.objects[name][0]))
    with pytest.raises(ContainerLost, match=r"what was new for a/x\.zip is gone"):
        await Journal(blobs, NAME, 5, ((4, 3),)).restore(mark, tmp_path / "two" / "inner" / NAME)
    assert {path.name for path in tmp_path.rglob("x")} == set()
