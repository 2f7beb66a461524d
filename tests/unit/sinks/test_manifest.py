"""The manifest: segments, HEAD and the documents beside it, on a real folder."""

import json
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from msgspec import Struct

from syncer.blobs.folder import FolderBlobs
from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, SettingsError
from syncer.model.rows import encode_row
from syncer.ports import ManifestRow, SegmentRef
from syncer.sinks import document_file
from syncer.sinks import manifest as manifest_module
from syncer.sinks.manifest import JobManifest
from tests.support.stored import StillClock, key

VALID = b'"format":1,"job":"street","generation":1'


def row(item: str, version: str = "1", op: str = "put") -> ManifestRow:
    """Return a manifest row of project 7."""
    return ManifestRow(op, key(item), version, f"7/{item}.json", None, 3, "ab" * 32, {}, "run", "2026-03-01T12:00:00Z")


def lines(*rows: ManifestRow) -> list[bytes]:
    """Return the rows as a ledger's outbox holds them."""
    return [encode_row(one) for one in rows]


@pytest.fixture
def clock() -> StillClock:
    """Return a clock that stands still."""
    return StillClock()


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    """Return an empty store."""
    return FolderBlobs(tmp_path / "root")


@pytest.fixture
def manifest(blobs: FolderBlobs, clock: StillClock) -> JobManifest:
    """Return the manifest of job `street`."""
    return JobManifest(blobs, "street", "lake", clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where that manifest lies."""
    return tmp_path / "root/_manifest/street"


def folders_in(folder: Path) -> list[str]:
    """Return the names of the folders in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


async def rows_of(manifest: JobManifest) -> list[ManifestRow]:
    """Return all rows in order."""
    return [row async for _, row in manifest.rows()]


async def current(manifest: JobManifest) -> dict[str, tuple[str, str]]:
    """Return operation and version by item, last row winning."""
    return {one.key.item: (one.op, one.version) for one in await rows_of(manifest)}


async def filled(
    manifest: JobManifest, count: int, *, unit: str = "7", epoch: int = 1, first: int = 1
) -> list[SegmentRef]:
    """Write `count` segments of one row each, and move HEAD after each."""
    refs: list[SegmentRef] = []
    for seq in range(first, first + count):
        refs.append(await manifest.put_segment(unit, epoch, seq, lines(row(str(seq % 10), str(seq)))))
        await manifest.move_head(segments=refs[-1:])
    return refs


# ------------------------------------------------------------------------------------------ segments and HEAD


async def test_rule_8_head_names_what_is_there(manifest: JobManifest, folder: Path) -> None:
    """A segment lies under its epoch and number with a header line; HEAD orders segments and describes containers."""
    assert await manifest.head() is None
    assert await rows_of(manifest) == []
    two = await manifest.put_segment("7", 2, 1, lines(row("a", "2")))
    one = await manifest.put_segment("7", 1, 30, lines(row("a"), row("b")))
    box = Container("7.zip", "9-9", 9, "cd" * 32, 2, 1)
    assert await manifest.move_head(segments=[two], containers=[box]) == 1
    assert await manifest.move_head(segments=[one]) == 2
    head = await manifest.head()
    assert head is not None
    assert (head.generation, head.segments, head.containers) == (2, (one, two), {"7.zip": box})
    text = (folder / "7/00000001-000000000030.jsonl").read_bytes()
    assert json.loads(text.split(b"\n")[0]) == {"format": 1, "job": "street", "unit": "7", "epoch": 1, "seq": 30}
    assert json.loads((folder / "HEAD.json").read_bytes())["format"] == 1
    assert await rows_of(manifest) == [row("a"), row("b"), row("a", "2")]
    await manifest.move_head(dropped=["7.zip"])
    assert (await manifest.head() or head).containers == {}


async def test_rule_8_sending_again_changes_nothing(manifest: JobManifest) -> None:
    """The same segment may be put and listed again; the same name with other rows is refused."""
    first = await manifest.put_segment("7", 1, 1, lines(row("a")))
    assert await manifest.put_segment("7", 1, 1, lines(row("a"))) == first
    await manifest.move_head(segments=[first])
    await manifest.move_head(segments=[first])
    assert len(await rows_of(manifest)) == 1
    with pytest.raises(DestinationChanged, match="other rows"):
        await manifest.put_segment("7", 1, 1, lines(row("b")))


async def test_unit_names_of_all_kinds_get_folders_of_their_own(manifest: JobManifest, folder: Path) -> None:
    """No unit's name leaves the manifest or takes the place of one of its documents."""
    units = ["../../x", "HEAD.json", "latest", "a/b", "_SUCCESS", "7", "Owner.JSON"]
    names = [(await manifest.put_segment(unit, 1, 1, [])).name for unit in units]
    assert len({name.casefold() for name in names}) == len(units)
    await manifest.move_head(complete=True)
    assert folders_in(folder) == sorted(name.split("/")[0] for name in names)
    assert (folder / "HEAD.json").is_file()


async def test_many_movers_lose_nothing(blobs: FolderBlobs, clock: StillClock) -> None:
    """Units that move one HEAD at the same time each find their segment in it, and every generation is somebody's."""
    generations: list[int] = []

    async def send(unit: str) -> None:
        manifest = JobManifest(blobs, "street", "lake", clock)
        segment = await manifest.put_segment(unit, 1, 1, lines(row(unit)))
        generations.append(await manifest.move_head(segments=[segment], checkpoint={unit: {"cursor": unit}}))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(send, str(number))
    manifest = JobManifest(blobs, "street", "lake", clock)
    assert sorted(generations) == list(range(1, 9))
    assert len(await rows_of(manifest)) == 8
    assert await manifest.checkpoint() == {str(number): {"cursor": str(number)} for number in range(8)}


async def test_the_documents_go_with_head(manifest: JobManifest, folder: Path) -> None:
    """Checkpoints are kept by unit, the status is replaced, and success is only marked when it is complete."""
    assert await manifest.checkpoint() is None
    await manifest.move_head(checkpoint={"7": {"a": 1}, "8": {"b": [None]}}, status={"owed": 2}, complete=False)
    assert not (folder / "_SUCCESS").exists()
    assert not (folder / "latest").exists()
    segment = await manifest.put_segment("7", 1, 1, lines(row("a")))
    await manifest.move_head(segments=[segment], checkpoint={"7": {"a": 2}}, status={"owed": 0}, complete=True)
    assert await manifest.checkpoint() == {"7": {"a": 2}, "8": {"b": [None]}}
    assert json.loads((folder / "checkpoint.json").read_bytes())["generation"] == 2
    assert json.loads((folder / "status.json").read_bytes()) == {
        "format": 1,
        "job": "street",
        "generation": 2,
        "owed": 0,
    }
    assert json.loads((folder / "latest").read_bytes())["generation"] == 2
    assert (folder / "_SUCCESS").exists()
    assert await manifest.move_head(complete=None) == 2  # nothing changed: readers need not look again
    assert (folder / "_SUCCESS").exists()
    await manifest.move_head(complete=False)
    assert not (folder / "_SUCCESS").exists()
    assert json.loads((folder / "latest").read_bytes())["generation"] == 2


# ---------------------------------------------------------------------------------------------- merging


async def test_many_small_segments_are_merged(
    manifest: JobManifest, folder: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past a number of segments one wider one takes their place: same current rows, superseded ones left out."""
    monkeypatch.setattr(manifest_module, "_MANY", 5)
    await filled(manifest, 4)
    before = await current(manifest)
    head = await manifest.head()
    assert head is not None
    assert len(head.segments) == 4
    await filled(manifest, 20, first=5)
    await filled(manifest, 3, epoch=2, first=25)
    other = await manifest.put_segment("8", 1, 1, lines(row("z")))
    await manifest.move_head(segments=[other])
    head = await manifest.head()
    assert head is not None
    assert len(head.segments) < 10
    assert [ref.seq for ref in head.segments if ref.name.startswith("7/")] == sorted(
        ref.seq for ref in head.segments if ref.name.startswith("7/")
    )
    expected = {str(seq % 10): ("put", str(seq)) for seq in range(1, 28)} | {"z": ("put", "1")}
    assert before.items() <= {str(n): ("put", str(n)) for n in range(5)}.items()
    assert await current(manifest) == expected
    assert len(list((folder / "7").iterdir())) > len(head.segments)
    clock.at += timedelta(days=8)
    for seq in (2, 3):
        await manifest.move_head(segments=[await manifest.put_segment("8", 1, seq, lines(row("z", str(seq))))])
    assert len(list((folder / "7").iterdir())) == len(head.segments) - 1
    assert await current(manifest) == {**expected, "z": ("put", "3")}


async def test_compacting_merges_whatever_is_small(manifest: JobManifest) -> None:
    """On request each unit's small segments become one; doing it again finds nothing."""
    assert await manifest.merge() == 0
    await filled(manifest, 4)
    await filled(manifest, 3, unit="8")
    await filled(manifest, 1, unit="9")
    before = await current(manifest)
    assert await manifest.merge() == 5
    assert await manifest.merge() == 0
    assert await current(manifest) == before


async def test_deletions_survive_merging(manifest: JobManifest) -> None:
    """The last word about an item stays, also when that word is that it is gone."""
    for seq, one in enumerate([row("a"), row("b"), row("a", "1", "delete"), row("b", "2")], start=1):
        await manifest.move_head(segments=[await manifest.put_segment("7", 1, seq, lines(one))])
    await manifest.merge()
    assert await current(manifest) == {"a": ("delete", "1"), "b": ("put", "2")}


async def test_a_merged_segment_sent_again_is_harmless(manifest: JobManifest, clock: StillClock) -> None:
    """A crash may repeat a segment that was merged meanwhile: the later rows still win, and it is not swept away."""
    refs = await filled(manifest, 3)
    await manifest.merge()
    again = await manifest.put_segment("7", 1, 1, lines(row("1", "1")))
    assert again == refs[0]
    await manifest.move_head(segments=[again])
    clock.at += timedelta(hours=2)
    await manifest.move_head()
    assert await current(manifest) == {"1": ("put", "1"), "2": ("put", "2"), "3": ("put", "3")}


# ------------------------------------------------------------------------------------------- distrust


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"not json", "can't be read"),
        (b"{}", "can't be read"),
        (b'{"format":1,"job":"street","generation":-1}', "can't be read"),
        (b"[" * 100_000, "can't be read"),
        (b'{%s,"containers":{"../x.zip":{"tag":"","size":1,"sha256":""}}}' % VALID, "outside"),
        (b'{%s,"containers":{"_manifest/x":{"tag":"","size":1,"sha256":""}}}' % VALID, "outside"),
        (b'{%s,"segments":[{"name":"../../x.jsonl","rows":1,"sha256":"","epoch":1,"seq":1}]}' % VALID, "outside"),
        (b'{%s,"superseded":[{"name":"/etc/passwd","since":""}]}' % VALID, "outside"),
        (b'{%s,"superseded":[{"name":"HEAD.json","since":""}]}' % VALID, "outside"),
    ],
)  # fmt: skip
async def test_rule_8_a_changed_head_is_not_followed(
    manifest: JobManifest, folder: Path, document: bytes, words: str
) -> None:
    """What can't be read, or names anything outside the destination, is said; nothing is read or deleted for it."""
    await manifest.move_head()
    (folder / "HEAD.json").write_bytes(document)
    with pytest.raises(DestinationChanged, match=words) as caught:
        await manifest.head()
    assert caught.value.hint
    with pytest.raises(DestinationChanged):
        await manifest.move_head()
    assert (folder / "HEAD.json").read_bytes() == document


async def test_a_deleted_head_comes_back_with_what_it_named(manifest: JobManifest, folder: Path) -> None:
    """Whoever moves HEAD after somebody deleted it names the segments that still lie there, and no damaged one."""
    await filled(manifest, 3)
    await manifest.move_head(checkpoint={"7": {}})
    before, rows = await manifest.head(), await rows_of(manifest)
    assert before is not None
    (folder / "HEAD.json").unlink()
    await manifest.move_head()
    assert (await manifest.head() or before).segments == before.segments
    assert await rows_of(manifest) == rows
    (folder / "HEAD.json").unlink()
    path = folder / before.segments[0].name
    for damage in (path.read_bytes()[:-1], b'{"format":1,"epoch":-1,"seq":1}\n', b'{"format":1}\n', b"garbage\n"):
        path.write_bytes(damage)
        with pytest.raises(DestinationChanged, match=path.name):
            await manifest.move_head()
        assert not (folder / "HEAD.json").exists()


async def test_a_newer_format_is_refused_in_words(manifest: JobManifest, folder: Path) -> None:
    """Documents and segments of a newer version are not guessed at."""
    (segment,) = await filled(manifest, 1)
    await manifest.move_head(checkpoint={"7": {}})
    for name, reader in (("HEAD.json", manifest.head), ("checkpoint.json", manifest.checkpoint)):
        text = (folder / name).read_bytes()
        (folder / name).write_bytes(text.replace(b'"format": 1', b'"format": 2'))
        with pytest.raises(SettingsError, match="format 2; this version reads up to 1") as caught:
            await reader()
        assert caught.value.hint
        (folder / name).write_bytes(text)
    path = folder / segment.name
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
    with pytest.raises(SettingsError, match="format 2"):
        await rows_of(manifest)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(b'"version":"1"', b'"version":"2"'), "not what HEAD says"),
        (lambda text: text[:-20], "not what HEAD says"),
        (lambda text: text + text.split(b"\n")[1] + b"\n", "more rows"),
        (lambda text: text.replace(b"7/a.json", b"../a.json"), "no name inside"),
        (lambda text: text.replace(b"7/a.json", b"_manifest/street/HEAD.json"), "no name inside"),
        (lambda text: text.replace(b'"op"', b"x" * (2 << 20)), "too long"),
        (lambda text: text.replace(b'"size":3', b'"size":-3'), "number of bytes"),
        (lambda _: b"garbage\n", "no header"),
        (lambda _: b"", "not what HEAD says"),
    ],
)
async def test_rule_8_a_changed_segment_is_noticed(manifest: JobManifest, folder: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """A segment that was cut, extended or edited is told as changed; a missing one too."""
    ref = await manifest.put_segment("7", 1, 1, lines(row("a")))
    await manifest.move_head(segments=[ref])
    path = folder / ref.name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DestinationChanged, match=words):
        await rows_of(manifest)
    await manifest.move_head(segments=[await manifest.put_segment("7", 1, 2, [])])
    with pytest.raises(DestinationChanged):
        await manifest.merge()
    path.unlink()
    with pytest.raises(DestinationChanged, match="missing"):
        await rows_of(manifest)


async def test_head_is_decoded_once_while_it_stays_the_same(
    manifest: JobManifest, blobs: FolderBlobs, clock: StillClock
) -> None:
    """Each unit of a run asks for it; what somebody else wrote is seen at once."""
    await manifest.move_head(segments=[await manifest.put_segment("7", 1, 1, lines(row("a")))])
    first = await manifest.head()
    assert first is not None
    assert await manifest.head() is first
    other = JobManifest(blobs, "street", "lake", clock)
    await other.move_head(segments=[await other.put_segment("7", 1, 2, lines(row("b")))])
    second = await manifest.head()
    assert second is not None
    assert (second.generation, len(second.segments)) == (first.generation + 1, 2)


async def test_what_it_wrote_is_what_others_read(
    manifest: JobManifest, blobs: FolderBlobs, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own documents are not read back, however many units there are; what it takes them for is what lies there."""
    read: list[str] = []
    decode = document_file.decode

    def noted(data: bytes, kind: type[Struct], where: str) -> Struct:
        read.append(where)
        return decode(data, kind, where)

    monkeypatch.setattr(document_file, "decode", noted)
    container = Container("7.zip", "tag", 10, "ab", live=2)
    for number in range(20):
        segment = await manifest.put_segment("7", 1, number + 1, lines(row(str(number))))
        await manifest.move_head(
            segments=[segment],
            containers=[container] if number % 2 else (),
            dropped=() if number % 2 else ("7.zip",),
            checkpoint={f"unit {number}": {"epoch": 1, "cursors": ("a", None), "items": number}},
            removes=number == 10,  # one of them
        )
        read.clear()
        own, told = await manifest.head(), await manifest.checkpoint()
        assert read == []
        fresh = JobManifest(blobs, "street", "lake", clock)
        assert (own, told) == (await fresh.head(), await fresh.checkpoint())
        assert len(read) == 2  # HEAD and checkpoint
        assert own is not None
        assert await manifest.at(own.generation - 1) == await fresh.at(own.generation - 1)
