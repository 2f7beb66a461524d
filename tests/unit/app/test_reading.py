"""Reading labels back: one generation as a whole, then the next one, from destinations of every shape."""

import pickle
import shutil
import zipfile
from pathlib import Path

import anyio
import pytest

from syncer.app.reading import read
from syncer.model.errors import DestinationChanged, GenerationGone, NotNow, Overtaken, SettingsError, TooLarge
from syncer.model.refs import ItemKey
from tests.support.reading import LASTING, SHAPES, Stored, digests

pytestmark = pytest.mark.parametrize("shape", SHAPES)


async def edited(stored: Stored) -> None:
    """Correct, delete, withdraw and add."""
    stored.platform.put("3", b'{"corrected":3}')
    stored.platform.delete("5")
    stored.platform.withdraw("7")
    stored.platform.put("new")


async def all_of(stored: Stored, at: int | str | None = None) -> dict[str, str]:
    """Return the digests that a fresh reader finds."""
    async with read(stored.url, at, patience=0) as labels:
        return digests([label async for label in labels])


async def test_what_is_read_is_what_is_current(tmp_path: Path, shape: str) -> None:
    """Corrected labels as they are now, none that was deleted or withdrawn, each once; an open reader follows."""
    stored = Stored(tmp_path, shape)
    stored.platform.context("7", b'{"labels":["car"]}')
    await stored.sync()
    assert await all_of(stored) == stored.truth()
    async with read(stored.url) as labels:
        first = labels.generation
        assert await labels.count() == 20
        await edited(stored)
        await stored.sync()
        assert labels.generation == first
        assert await labels.refresh()
        assert not await labels.refresh()
        assert labels.generation > first
        assert digests([label async for label in labels]) == stored.truth()
        rows = [row async for row in labels.rows()]
        assert {row.key.item for row in rows} == stored.truth().keys()
        label = await labels.get(rows[0].key)
        assert await labels.get(label.path) == label
        assert isinstance(label.json(), dict)
        with pytest.raises(KeyError):
            await labels.get(ItemKey("annotation", "7", None, None, "5"))
        with pytest.raises(KeyError):
            await labels.get("none.json")


async def test_a_part_of_it(tmp_path: Path, shape: str) -> None:
    """By fields of keys and of the platform, by a function, in shares and in batches."""
    stored = Stored(tmp_path, shape)
    stored.platform.put("red", fields={"colour": "red"})
    stored.platform.put("blue", fields={"colour": "blue"})
    await stored.sync()
    async with read(stored.url) as labels:

        async def found(where: object) -> set[str]:
            return {label.key.item async for label in labels.items(where)}  # type: ignore[arg-type]  # of every kind

        assert await found({"colour": "red"}) == {"red"}
        assert await found({"colour": ["red", "blue"], "project": "7"}) == {"red", "blue"}
        assert await found({"project": "8"}) == set()
        assert await found(lambda row: row.key.item == "4") == {"4"}
        shares = [[label.key.item async for label in labels.items(share=(i, 5))] for i in range(5)]
        assert sorted(item for share in shares for item in share) == sorted(stored.truth())
        assert {len(share) for share in shares} == {4, 5}
        batches = [batch async for batch in labels.batches(8)]
        assert [len(batch) for batch in batches] == [8, 8, 6]


def test_without_an_event_loop(tmp_path: Path, shape: str) -> None:
    """A `for` loop in any thread or process: the same labels, also after being pickled for a worker."""
    stored = Stored(tmp_path, shape)
    anyio.run(stored.sync)
    reading = pickle.loads(pickle.dumps(read(stored.url)))  # noqa: S301  # our own
    assert digests(list(reading)) == stored.truth()
    with reading as labels:
        assert len(labels) == 20
        assert (labels.job, labels.url) == ("job", stored.url)
        before = labels.generation
        label = next(iter(labels.items({"item": "4"})))
        assert labels.get(label.key) == label == labels.get(label.path)
        assert [len(batch) for batch in labels.batches(15)] == [15, 5]
        assert len(list(labels.rows())) == 20
        stored.platform.put("3", b'{"corrected":3}')
        anyio.run(stored.sync)
        assert labels.refresh()
        assert [(row.op, row.key.item) for row in labels.changes(before)] == [("put", "3")]
        assert digests(list(labels)) == stored.truth()
        labels._process = 0
        with pytest.raises(RuntimeError, match="another process"):
            labels.refresh()
        labels._process = __import__("os").getpid()


async def test_former_generations(tmp_path: Path, shape: str) -> None:
    """Where names last, every generation and snapshot reads as it did; elsewhere what was replaced is refused."""
    stored = Stored(tmp_path, shape)
    generations = {await stored.sync(): stored.truth()}
    for _ in range(3):
        await edited(stored)
        generations[await stored.sync()] = stored.truth()
    newest = max(generations)
    for generation, truth in generations.items():
        if shape in LASTING or generation == newest:
            assert await all_of(stored, generation) == truth, generation
        else:
            with pytest.raises(DestinationChanged, match=f"generation {generation} of job can't be read any more"):
                await all_of(stored, generation)
    with pytest.raises(GenerationGone, match="no generation 9999 yet"):
        await all_of(stored, 9999)
    with pytest.raises(GenerationGone, match="has no snapshot 'best'"):
        await all_of(stored, "best")


async def test_a_pass_is_one_generation_or_overtaken(tmp_path: Path, shape: str) -> None:
    """A publish in the middle of a pass: all of the older generation, or a word about it, or what is there now."""
    stored = Stored(tmp_path, shape, items=300)
    before = await stored.sync()
    was = stored.truth()

    async def overtaken(*, whole: bool) -> dict[str, str]:
        async with read(stored.url, patience=5) as labels:
            found = []
            async for label in labels.items(whole=whole):
                if not found:
                    for number in range(1, 301):
                        stored.platform.put(str(number), b'{"pass":%d}' % stored.platform.edits)
                    stored.platform.delete("300")
                    await stored.sync()
                found.append(label)
            return digests(found)

    if shape == "prefix":
        with pytest.raises(Overtaken, match=f"generation {before} of job was overtaken by"):
            await overtaken(whole=True)
    else:
        assert await overtaken(whole=True) == was
    stored.platform.put("300")
    await stored.sync()
    was = stored.truth()
    found, now = await overtaken(whole=False), stored.truth()
    assert found.keys() >= now.keys()
    assert all(digest in {was[item], now.get(item)} for item, digest in found.items())


async def test_what_is_not_published_yet_is_waited_for(tmp_path: Path, shape: str) -> None:
    """Bytes that are newer than HEAD, as a sync that died leaves them: never read, and said in words."""
    stored = Stored(tmp_path, shape)
    await stored.sync()
    copy = tmp_path / "before"
    shutil.copytree(tmp_path / "labels/_manifest", copy)
    stored.platform.put("3", b'{"corrected":3}')
    await stored.sync()
    newest = tmp_path / "newest"
    (tmp_path / "labels/_manifest").rename(newest)
    shutil.copytree(copy, tmp_path / "labels/_manifest")
    if shape in LASTING:
        assert "3" in await all_of(stored)
        return
    with pytest.raises(NotNow, match="HEAD still says generation"):
        await all_of(stored)

    async def publish() -> None:
        shutil.rmtree(tmp_path / "labels/_manifest")
        shutil.copytree(newest, tmp_path / "labels/_manifest")

    async with read(stored.url, patience=30) as labels, anyio.create_task_group() as beside:
        beside.start_soon(publish)
        assert digests([label async for label in labels]) == stored.truth()


async def test_a_copy_of_a_destination_reads_as_well(tmp_path: Path, shape: str) -> None:
    """Copied elsewhere, without the times of its files, it holds what it held."""
    stored = Stored(tmp_path / "a", shape)
    await stored.sync()
    shutil.copytree(tmp_path / "a/labels", tmp_path / "b", copy_function=shutil.copyfile)
    async with read(str(tmp_path / "b")) as labels:
        assert digests([label async for label in labels]) == stored.truth()


async def test_damage_is_never_read(tmp_path: Path, shape: str) -> None:
    """A document that is not what its row says, or is not there, ends the pass in words."""
    stored = Stored(tmp_path, shape)
    await stored.sync()
    file = next(path for path in sorted((tmp_path / "labels").iterdir()) if path.is_file())
    body = bytearray(file.read_bytes())
    body[60] ^= 1
    file.write_bytes(body)
    with pytest.raises((DestinationChanged, NotNow)):
        await all_of(stored)
    file.unlink()
    with pytest.raises((DestinationChanged, NotNow), match="is missing"):
        await all_of(stored)


async def test_limits_and_places(tmp_path: Path, shape: str) -> None:
    """A document that is too large, a place where nothing lies, a job that is not there, an unknown option."""
    stored = Stored(tmp_path, shape)
    with pytest.raises(SettingsError, match="nothing is stored"):
        await all_of(stored)
    await stored.sync()
    with pytest.raises(TooLarge, match="are taken at most"):
        async with read(stored.url, largest=100) as labels:
            _ = [label async for label in labels]
    with pytest.raises(GenerationGone, match="no manifest of job other"):
        async with read(stored.url, job="other"):
            pass
    with pytest.raises(SettingsError, match="no option 'colour'"):
        async with read(stored.url, storage={"colour": "red"}):
            pass
    if "zip" in str(SHAPES[shape]["type"]):
        async with read(str(tmp_path / "labels/all.zip")) as labels:
            assert digests([label async for label in labels]) == stored.truth()
        assert zipfile.is_zipfile(next((tmp_path / "labels").glob("all*.zip")))
        with pytest.raises(SettingsError, match="nothing is stored"):
            async with read(str(tmp_path / "none.zip")):
                pass
