"""The prefix destination beyond its contract: names, units, claims, moved items, and trouble with the disk."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from syncer.blobs.folder import FolderBlobs
from syncer.model.errors import Exit, LegFailed, SettingsError
from syncer.model.refs import AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.sinks import memory, prefix
from syncer.sinks.prefix.options import PrefixOptions
from syncer.sinks.prefix.sink import PrefixSink
from tests.support.stored import entry, key, partition, stored, tools, unit

VARIABLES = {"batch": "", "annotation_type": "", "title": ""}


@pytest.fixture
def sink(tmp_path: Path) -> PrefixSink:
    """Return a bound sink on a folder."""
    return made(tmp_path)


def made(tmp_path: Path, **options: object) -> PrefixSink:
    """Return a bound sink with options."""
    sink = prefix.PLUGIN.create(PrefixOptions.model_validate({"url": "file:out", **options}), tmp_path, tools())
    assert isinstance(sink, PrefixSink)
    sink.bind(frozenset({"project"}), VARIABLES)
    return sink


def visible(tmp_path: Path) -> list[str]:
    """Return the files of the destination, those of the manifest aside."""
    root = tmp_path / "out"
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and "_manifest" not in path.parts
    )


# ----------------------------------------------------------------------------------------------- options


def test_options_are_checked() -> None:
    """Unknown keys, wrong words and negative limits are refused; durations read as people write them."""
    wrong: tuple[dict[str, object], ...] = (
        {}, {"url": ""}, {"url": "x", "colour": 1}, {"url": "x", "on_delete": "maybe"}, {"url": "x", "max_delete": -1},
        {"url": "x", "publish_every": "soon"}, {"url": "x", "type": "zip"},
    )  # fmt: skip
    for options in wrong:
        with pytest.raises(ValidationError):
            PrefixOptions.model_validate(options)
    good = PrefixOptions.model_validate({"url": "x", "publish_every": "1h30m"})
    assert good.publish_every == 5400
    assert (good.on_delete, good.on_withdraw, good.document, good.durability) == (
        "tombstone", "keep", "content", "batch",
    )  # fmt: skip


@pytest.mark.parametrize("model", [PrefixOptions, memory.MemoryOptions])
def test_every_option_is_described(model: type[PrefixOptions]) -> None:
    """The schema that editors and the README use has a sentence about each option."""
    schema = model.model_json_schema()
    assert all(option.get("description", "").strip() for option in schema["properties"].values())


def test_a_bucket_is_recognised_when_the_sink_is_made(tmp_path: Path) -> None:
    """A bucket's URL is spelled in one way; what is none is refused before anything is sent."""
    assert made(tmp_path, url="s3://bucket/x/").url == "s3://bucket/x"
    for wrong in ("s3:bucket", "s3://", "gs://b", "s3://bucket/../x", "s3://user:key@bucket/x"):
        with pytest.raises(SettingsError, match=r"bucket|prefix"):
            made(tmp_path, url=wrong)


def test_what_the_engine_sees(sink: PrefixSink, tmp_path: Path) -> None:
    """Name, canonical URL, policies, and what shapes bytes and paths, are as the options say."""
    assert (sink.name, sink.url, sink.immediate) == ("lake", (tmp_path / "out").as_uri(), True)
    assert (sink.on_delete, sink.on_withdraw, sink.max_delete) == ("tombstone", "keep", None)
    assert sink.shape == {"path": "{batch}/{annotation_type}/{item}.json", "document": "content"}
    assert sink.layout == {"type": "prefix", "path": "{batch}/{annotation_type}/{item}.json"}
    envelope = made(tmp_path, document="envelope", path="{project}/{item}.json", max_delete=3)
    assert (envelope.shape, envelope.max_delete) == ({"path": "{project}/{item}.json", "document": "envelope"}, 3)


# ------------------------------------------------------------------------------------------------- names


def test_rule_2_a_unit_is_one_partition(sink: PrefixSink) -> None:
    """Each partition has a unit of its own, with a name that a person can read and a folder can have."""
    keys = [
        PartitionKey("7"), PartitionKey("7", "b"), PartitionKey("7", None, "b"), PartitionKey("7", "b", "c"),
        PartitionKey("7+b"), PartitionKey("7", "b+c"), PartitionKey("7", "", "b"), PartitionKey("7", ""),
        PartitionKey("a/b"), PartitionKey("a_b"), PartitionKey(".."),
    ]  # fmt: skip
    names = [sink.unit_of(Partition(one)) for one in keys]
    assert names[:4] == ["7", "7+b", "7++b", "7+b+c"]
    assert len(set(names)) == len(keys)
    assert all("/" not in name and not name.startswith(".") for name in names)


def test_rule_4_a_unit_claims_all_its_folders(tmp_path: Path) -> None:
    """Claims are the union over the partitions; the whole root swallows the rest."""
    sink = made(tmp_path, path="{project}/{item}.json")
    assert sink.claims(unit("u", partition("7", "b", "box"))) == ("7/", "_context/7/b/box/")
    sink.bind(frozenset({"project", "batch", "annotation_type"}), VARIABLES)
    assert sink.claims(unit("u", partition("7"), partition("8"))) == ("7/", "8/", "_context/7/", "_context/8/")
    assert made(tmp_path, path="{item}/{project}.json").claims(unit()) == ("",)


def test_context_and_media_have_their_places(sink: PrefixSink) -> None:
    """Context lies under `_context`, other kinds beside the labels; a file keeps the extension of its own name."""
    where = Partition(PartitionKey("7", "b", "box"))

    def path(kind: str, item: str, media: str, filename: str = "") -> str:
        fields = {"filename": filename}
        key = ItemKey(kind, "7", "b", "box", item)
        return sink.path_of(where, AnnotationRef(key, "1", media_type=media, fields=fields))

    assert path("annotation", "1", "application/json") == "b/box/1.json"
    assert path("context", "config", "application/xml") == "_context/b/box/config.xml"
    assert path("media", "1", "image/jpeg", "a.png") == "b/box/1.png"
    assert path("media", "1", "image/png") == "b/box/1.png"
    assert path("export", "Coco", "application/zip", "Coco.zip") == "b/box/Coco.zip"
    for member in ("dump+a.json", "dump+a.jsonl", "dump+a.PNG"):
        assert path("export", member, "application/octet-stream", member) == f"b/box/{member}"


# ------------------------------------------------------------------------------------------- moved items


async def test_an_item_that_moves_leaves_its_object_until_it_is_removed(sink: PrefixSink, tmp_path: Path) -> None:
    """The receipt says that an item has one place at a time; what lies at the old one waits for the manifest."""
    async with sink.session(unit(), 1, None, ()) as session:
        await session.write([entry(key("1"), b"a", path="old/1.json")])
        first = stored((await session.seal()).receipts[0])
        await session.write([entry(key("1"), b"c", path="new/1.json", replaces=first)])
        assert [receipt.moves for receipt in (await session.seal()).receipts] == [True]
        assert visible(tmp_path) == ["new/1.json", "old/1.json"]
        await session.remove([first])
    assert visible(tmp_path) == ["new/1.json"]


async def test_versions_in_the_path_are_all_kept(tmp_path: Path) -> None:
    """Where the template names the version, the older objects are wanted."""
    sink = made(tmp_path, path="{item}/{version}.json")
    async with sink.session(unit(), 1, None, ()) as session:
        await session.write([entry(key("1"), b"a", path="1/1.json")])
        (receipt,) = (await session.seal()).receipts
        await session.write([entry(key("1"), b"b", path="1/2.json", version="2", replaces=stored(receipt))])
        assert [receipt.moves for receipt in (await session.seal()).receipts] == [False]
    assert visible(tmp_path) == ["1/1.json", "1/2.json"]


# ---------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOSPC, Exit.NOT_NOW, "disk is full"),
        (errno.EDQUOT, Exit.NOT_NOW, "quota"),
        (errno.EROFS, Exit.PERMISSION, "read-only"),
        (errno.EACCES, Exit.PERMISSION, "permission denied"),
        (errno.EIO, Exit.NOT_NOW, "Input/output error"),
        (errno.ENAMETOOLONG, Exit.SETTINGS, "too long"),
    ],
)
async def test_rule_21_what_the_disk_refuses_stops_the_leg(
    sink: PrefixSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: Exit, words: str
) -> None:
    """Each refusal of the system becomes one error of the leg with its exit code and what to do, and can be retried."""
    opened = os.open

    def refuse(path: str, flags: int, mode: int = 0o777, **rest: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, os.strerror(number))
        return opened(path, flags, mode)

    async with sink.session(unit(), 1, None, ()) as session:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            with pytest.raises(LegFailed, match=words) as caught:
                await session.write([entry(key("1"), b"a")])
        assert (caught.value.leg, caught.value.exit_code) == ("lake", code)
        assert caught.value.hint
        assert (await session.seal()).receipts == ()
        await session.write([entry(key("1"), b"a")])
        assert len((await session.seal()).receipts) == 1


async def test_a_seal_that_fails_keeps_its_receipts(sink: PrefixSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be forced to disk is not called durable; a later seal that succeeds names it."""
    async with sink.session(unit(), 1, None, ()) as session:
        await session.write([entry(key("1"), b"a")])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", raising(OSError(errno.EIO, "broken")))
            with pytest.raises(LegFailed, match="broken"):
                await session.seal()
        assert len((await session.seal()).receipts) == 1


def raising(error: Exception) -> Callable[..., None]:
    """Return a function that raises."""

    def fail(*_: object) -> None:
        raise error

    return fail


async def test_a_dead_predecessor_leaves_no_temporary_files(sink: PrefixSink, tmp_path: Path) -> None:
    """Temporary files of an earlier epoch of the unit go when the next session opens; another unit's stay."""
    own, other = unit("7", partition("7", "a")), unit("8", partition("7", "b"))
    blobs = FolderBlobs(tmp_path / "out")
    async with sink.session(own, 1, None, ()) as session, sink.session(other, 1, None, ()) as second:
        await session.write([entry(key("1"), b"a")])
        await second.write([entry(key("2"), b"b")])
        corners = sorted(path for path in (tmp_path / "out/_manifest/.tmp").rglob("*") if path.name == "00000001")
        for corner in corners:
            (corner / "left").write_bytes(b"torn")
        async with sink.session(own, 2, None, ()):
            assert [(corner / "left").exists() for corner in corners] == [False, True]
        await second.write([entry(key("3"), b"c")])
    assert [info.name async for info in blobs.list()] != []
    assert list((tmp_path / "out/_manifest/.tmp").iterdir()) == []


async def test_foreign_objects_are_found_but_manifests_are_not(sink: PrefixSink, tmp_path: Path) -> None:
    """A scan names whatever lies below the root, except what syncer keeps for itself."""
    async with sink.session(unit(), 1, None, ()) as session:
        await session.write([entry(key("1"), b"a")])
        await session.seal()
    await sink.manifest("street").move_head()
    (tmp_path / "out/foreign").write_bytes(b"f")
    assert sorted([found.path async for found in sink.scan({})]) == ["1.json", "foreign"]


def test_the_memory_sink_is_made_like_any_other(tmp_path: Path) -> None:
    """Its plug-in needs no URL, and one name is one store."""
    one = memory.PLUGIN.create(memory.MemoryOptions(), tmp_path, tools())
    assert one.url == "memory:"
    assert one.immediate
