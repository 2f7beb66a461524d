"""The open archives of a unit: what it costs to have many entries."""

import subprocess
import sys
from pathlib import Path

import pytest

MANY = """
import resource, sys
from pathlib import Path
from syncer.blobs.atomic import tag_of
from syncer.blobs.folder import FolderBlobs
from syncer.model.entries import Container, Content, Entry, StoredRow
from syncer.model.refs import ItemKey
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.places import Places, Rules
from syncer.sinks.archive.store import FolderStore

folder, count = Path(sys.argv[1]), int(sys.argv[2])
key = ItemKey("annotation", "7", None, None, "1")
path = "folder/some-name-as-long-as-a-uuid-{:09d}.json".format

def opened(containers=()):
    store = FolderStore(FolderBlobs(folder), folder)
    return Parts(Places(folder, store, containers, Rules(durable=False), 1))

parts = opened()
for first in range(0, count, 500):
    parts.put([Entry(key, "1", path(n), Content(b"{}")) for n in range(first, first + 500)], lambda _: "x")
token = parts.seal()
(swap,) = parts.stage()
parts.close()
parts = opened()
parts.resume(token, ["x"])
(again,) = parts.stage()
assert again == swap
(folder / swap.temp).rename(folder / swap.name)
parts.published([(swap, swap.container(tag_of((folder / swap.name).stat())))])
parts.settle([swap.name])
parts.drop(StoredRow(key, "1", path(n), "x.zip", 2, "") for n in range(0, count, 3))
parts.seal()
(swap,) = parts.stage()
assert swap.live == count - len(range(0, count, 3))
parts.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(folder: Path, count: int) -> int:
    """Write, publish and merge an archive in a process of its own; return the most memory it had, in MiB."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(folder), str(count)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """600,000 entries written, resumed and merged need little more memory than 60,000: a few bytes an entry."""
    small, large = peak(tmp_path / "small", 60_000), peak(tmp_path / "large", 600_000)
    assert large - small < 80, (small, large)
