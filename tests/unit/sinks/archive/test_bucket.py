"""Zip archives in a bucket, all three ways, on a store in memory: any death, a lost disk, a lost object."""

import itertools
import shutil
from pathlib import Path

import pytest

from syncer.model.errors import DestinationChanged, Exit, LegFailed
from tests.support.archive_buckets import WAYS, Bucket, dying_at_request
from tests.support.archives import STEPS, Book, Died
from tests.support.stored import key

SEEN = {f"item-{number}": b'{"version": 1, "number": %d}' % number * 9 for number in range(6)}
#: What is true upstream in the end: one changed, one gone, one new, and one more part.
WANTED = {
    **{item: body for item, body in SEEN.items() if item != "item-5"},
    "item-2": b"newer",
    "new": bytes(range(256)) * 3,
}


async def bring_about(book: Book, documents: dict[str, bytes]) -> None:
    """Do what a run does: write what differs, a document a commit, remove what is gone, publish."""
    await book.session()
    for item, body in documents.items():
        row = book.rows.get(key(item))
        if row is None or row.size != len(body):
            await book.put({item: body})
            await book.commit()
    await book.remove([row.key.item for row in book.rows.values() if row.key.item not in documents])
    await book.commit()
    await book.publish()


async def expected(bucket: Bucket, book: Book, documents: dict[str, bytes]) -> None:
    """Check that the bucket holds exactly what is wanted, and nothing beside it, visible or not."""
    assert await bucket.documents(book) == {f"{item}.json": [body] for item, body in documents.items()}
    assert await bucket.private() == []


@pytest.mark.parametrize("disk", ["kept", "lost"])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_invariant_3_a_death_at_any_request_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, done: bool, disk: str
) -> None:
    """For every n: die before or after the n-th request of two runs, perhaps lose the disk, and run again."""
    for count in itertools.count():
        bucket = Bucket.in_memory(way, tmp_path / str(count))
        bucket.least = 300
        book = Book(bucket.sink(max_part_size=1100))
        died = False
        with dying_at_request(count, monkeypatch, done=done) as made:
            try:
                for documents in (SEEN, WANTED):
                    await bring_about(book, documents)
            except* Died:  # uploads run side by side
                died = True
            finally:
                await book.crash()
        if not died:
            break
        if disk == "lost":
            shutil.rmtree(tmp_path / str(count), ignore_errors=True)
        book.sink = bucket.sink(max_part_size=1100)  # the next process
        await bring_about(book, WANTED)
        await book.leave()
        await expected(bucket, book, WANTED)
        # Only what lay on a lost disk alone is fetched again.
        assert book.lost == 0 or (way, disk) == ("spool", "lost"), (count, made[-1])
    assert {name.partition(".")[2] for name in made} >= {"put_many", "copy", "remove_all"}
    assert count > 10
    assert way != "multipart" or {"MemoryUploads.put", "MemoryUploads.complete"} <= set(made)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", WAYS)
async def test_a_publish_is_finished_without_the_disk_that_it_began_on(tmp_path: Path, way: str, step: str) -> None:
    """From the moment that the swap list is recorded, everything needed lies in the bucket."""
    bucket = Bucket.in_memory(way, tmp_path)
    book = Book(bucket.sink(max_part_size=1100))
    for documents in (SEEN, WANTED):
        await book.put(documents)
        await book.commit()
        await book.remove([row.key.item for row in book.rows.values() if row.key.item not in documents])
        await book.commit()
        with pytest.raises(Died):
            await book.publish(die_after=step)
        await book.crash()
        if step != "staged" or way != "spool":
            shutil.rmtree(tmp_path)
        await book.session()
        await book.publish()
    await book.leave()
    assert book.lost == 0
    await expected(bucket, book, WANTED)


async def test_rule_1_a_lost_spool_rolls_back_to_what_is_published(tmp_path: Path) -> None:
    """The unpublished entries are gone with the disk; the run starts from the published ones, and says so."""
    bucket = Bucket.in_memory("spool", tmp_path)
    book = Book(bucket.sink())
    await book.sync({"a": b"1"})
    await book.put({"b": b"2"})
    await book.commit()
    await book.crash()
    shutil.rmtree(tmp_path)
    await book.sync({"c": b"3"})
    await book.leave()
    assert book.lost == 1
    await expected(bucket, book, {"a": b"1", "c": b"3"})


@pytest.mark.parametrize("way", ["volumes", "multipart"])
async def test_rule_1_a_lost_piece_rolls_back_to_what_is_published(tmp_path: Path, way: str) -> None:
    """Somebody emptied the private corner: what was only there is fetched again."""
    bucket = Bucket.in_memory(way, tmp_path)
    book = Book(bucket.sink())
    await book.sync({"a": b"1"})
    await book.put({"b": b"2" * 5000})
    await book.commit()
    await book.crash()
    await bucket.blobs().remove_all(".syncer")
    await book.sync({"c": b"3"})
    await book.leave()
    assert book.lost == 1
    await expected(bucket, book, {"a": b"1", "c": b"3"})


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_uploaded_is_not_uploaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A process that died after staging: the next one stages the same bytes, and finds them there."""
    bucket = Bucket.in_memory(way, tmp_path)
    book = Book(bucket.sink())
    await book.put(SEEN)
    await book.commit()
    with pytest.raises(Died):
        await book.publish(die_after="staged")
    await book.crash()
    await book.session()
    with dying_at_request(1000, monkeypatch, done=False) as made:
        await book.publish()
    assert [name for name in made if name.endswith((".put_many", "Uploads.put"))] == []
    await book.leave()
    await expected(bucket, book, SEEN)


@pytest.mark.parametrize("way", WAYS)
async def test_an_object_that_somebody_replaced_is_never_replaced(tmp_path: Path, way: str) -> None:
    """Staging and publishing stop, and name the object; its bytes stay."""
    bucket = Bucket.in_memory(way, tmp_path)
    book = Book(bucket.sink())
    await book.sync(SEEN)
    await book.put({"item-2": b"newer"})
    await book.commit()
    session = await book.session()
    swaps = await session.stage()
    assert swaps is not None
    await bucket.blobs().put("x.zip", b"theirs")
    with pytest.raises(DestinationChanged, match=r"x\.zip is not what was published"):
        await session.publish(swaps)
    with pytest.raises(DestinationChanged, match=r"x\.zip is not what was published"):
        await session.stage()
    await book.leave()
    assert await bucket.public() == {"x.zip": b"theirs"}


@pytest.mark.parametrize("way", ["volumes", "multipart"])
async def test_the_disk_holds_one_part_at_most(tmp_path: Path, way: str) -> None:
    """A publish is asked for before a part is full, so what waits, and the disk it needs, stay bounded."""
    bucket = Bucket.in_memory(way, tmp_path)
    book = Book(bucket.sink(max_part_size=20_000, mode="append"))
    most = 0
    for number in range(60):
        await book.put({str(number): bytes([number]) + number.to_bytes(2) * 900})
        session = await book.session()
        full = (await session.seal()).full
        most = max(most, sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*.partial")))
        await book.commit()
        if full:
            await book.publish()
    await book.leave()
    assert most < 40_000


async def test_superseded_entries_of_an_upload_are_squeezed_out(tmp_path: Path) -> None:
    """An item that changed while its archive was being uploaded is in the published one once."""
    bucket = Bucket.in_memory("multipart", tmp_path)
    bucket.least = 300
    book = Book(bucket.sink())
    await bring_about(book, {**SEEN, "item-1": b"old" * 500})
    assert bucket.memory is not None
    assert bucket.memory.begun == 1
    await book.leave()
    book = Book(bucket.sink(name="y.zip"))
    for documents in (SEEN, {**SEEN, "item-1": b"new" * 300}):
        await book.put(documents)
        await book.commit()
    await book.publish()
    await book.leave()
    there = await bucket.public()
    assert sorted(there) == ["x.zip", "y.zip"]
    assert await bucket.private() == []


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(WAYS, 2)))
async def test_the_way_may_change(tmp_path: Path, first: str, second: str) -> None:
    """What the former way left unpublished is taken over, or fetched again; the result is the same."""
    bucket = Bucket.in_memory(first, tmp_path)
    bucket.least = 300
    book = Book(bucket.sink())
    await book.sync({"a": b"1"})
    await book.put(SEEN)
    await book.commit()
    await book.crash()
    book.sink = bucket.sink(upload=second)
    await bring_about(book, {"a": b"1", **SEEN})
    await book.leave()
    assert await bucket.documents(book) == {f"{item}.json": [body] for item, body in {"a": b"1", **SEEN}.items()}


async def test_a_disk_that_is_nearly_full_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is looked at before anything is spooled: the sink stops with 75, and what was accepted is kept."""
    bucket = Bucket.in_memory("spool", tmp_path)
    book = Book(bucket.sink())
    await book.put({"a": b"1"})
    await book.commit()
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
        await book.put({"b": b"2"})
        with pytest.raises(LegFailed, match="nearly full: 1 MiB left") as caught:
            await book.put({"c": b"3" * (64 << 20)})
        assert (caught.value.exit_code, "volumes" in (caught.value.hint or "")) == (Exit.NOT_NOW, True)
    await book.crash()
    book.sink = bucket.sink()
    await book.sync({"c": b"3"})
    await book.leave()
    await expected(bucket, book, {"a": b"1", "c": b"3"})
