"""The zip sink: options, names, reading back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, SettingsError, TooLarge
from syncer.model.refs import AnnotationRef, Partition, PartitionKey
from syncer.ports import Found, Sink, Unit
from syncer.sinks.archive.options import PLUGIN, ZipOptions
from syncer.sinks.archive.sink import ArchiveSink
from tests.support.archives import Book, zip_sink
from tests.support.stored import key, manifest_row, partition, tools

DOCUMENTS = {f"item-{number}": b'{"number": %d}' % number * 30 for number in range(6)}


def sink(folder: Path, **options: Any) -> ArchiveSink:
    """Return an unbound sink with the defaults of a user."""
    made = PLUGIN.create(ZipOptions(url=f"file:{folder}", **options), folder, tools("nightly"))
    assert isinstance(made, ArchiveSink)
    return made


def bound(folder: Path, fixed: set[str], variables: Mapping[str, str] | None = None, **options: Any) -> ArchiveSink:
    """Return a bound one."""
    made = sink(folder, **options)
    made.bind(frozenset(fixed), variables or {})
    return made


async def scanned(book: Book, *, deep: bool) -> list[Found]:
    """Return all that a scan finds."""
    return [found async for found in book.sink.scan(book.containers, deep=deep)]


def test_the_sink_is_what_the_door_asks_for(tmp_path: Path) -> None:
    """Type, name, url, and what decides about fingerprints and layouts."""
    made: Sink = bound(tmp_path, {"project"}, mode="append", on_delete="delete", max_delete=3)
    assert (PLUGIN.type, made.name, made.immediate) == ("zip", "nightly", False)
    assert made.url == tmp_path.as_uri()
    assert made.shape == {"document": "content", "path": "{item}.json"}
    assert made.layout == {"type": "zip", "mode": "append", "name": "{project}.zip", "path": "{item}.json"}
    assert (made.on_delete, made.on_withdraw, made.max_delete) == ("delete", "keep", 3)


def test_options_are_checked(tmp_path: Path) -> None:
    """Sizes are read as people write them; unknown keys, modes and tiny parts are refused."""
    assert ZipOptions(url="file:x", max_part_size="2GiB").max_part_size == 2 << 30  # type: ignore[arg-type]
    assert ZipOptions(url="file:x", max_part_size="256MiB").max_part_size == 256 << 20
    for wrong in (
        {"mode": "rolling"},
        {"max_part_size": 100},
        {"max_part_size": "2 apples"},
        {"parts": 3},
        {"name": ""},
    ):
        with pytest.raises(ValidationError):
            ZipOptions(url="file:x", **wrong)


def test_ways_into_a_bucket_are_checked(tmp_path: Path) -> None:
    """A multipart upload is a thing of S3; a part that no service copies in one step is refused."""
    for wrong, reason in (
        (ZipOptions(url="memory:x", upload="multipart"), "for s3:// only"),
        (ZipOptions(url="memory:x", max_part_size=6 << 30), "more than 5GiB"),
    ):
        with pytest.raises(SettingsError, match=reason):
            PLUGIN.create(wrong, tmp_path, tools("nightly"))


@pytest.mark.parametrize(
    ("name", "fixed", "path"),
    [
        ("{project}.zip", {"project"}, "b/t/1.json"),
        ("{project}.zip", set(), "b/t/1.json"),
        ("all.zip", set(), "7/b/t/1.json"),
        ("{project}-{batch}.zip", set(), "t/1.json"),
        ("x.zip", {"project", "batch", "annotation_type"}, "1.json"),
    ],
)
def test_a_field_that_names_the_archive_makes_no_folder_in_it(
    name: str, fixed: set[str], path: str, tmp_path: Path
) -> None:
    """Nor does one that the selection fixes."""
    made = bound(tmp_path, fixed, {"batch": "", "annotation_type": ""}, name=name)
    where = Partition(PartitionKey("7", "b", "t"))
    assert made.path_of(where, AnnotationRef(key("1", "7", "b", "t"), "1")) == path


def test_units_and_claims_follow_the_name(tmp_path: Path) -> None:
    """Partitions that render alike share a unit; a unit claims the archives that it begins with."""
    made = bound(tmp_path, set(), {"batch": "", "project_title": ""}, name="{project_title}/{batch}.zip")
    partitions = [
        Partition(PartitionKey(project, batch), {"project_title": "Streets"})
        for project, batch in (("7", "a"), ("8", "a"), ("7", "b"))
    ]
    first, second, third = (made.unit_of(one) for one in partitions)
    assert first == second != third
    assert first.startswith("Streets_a~")
    assert made.claims(Unit("u", tuple(partitions))) == ("Streets/a.zip", "Streets/b.zip")


@pytest.mark.parametrize("name", ["{item}.zip", "{version}.zip", "{nonsense}.zip", "{batch}.zip", "../x.zip"])
def test_a_name_that_can_not_be_is_refused_at_load(name: str, tmp_path: Path) -> None:
    """Items don't name archives, unknown and empty variables neither, and nothing leaves the folder."""
    with pytest.raises(SettingsError):
        bound(tmp_path, {"project"}, {}, name=name)


def test_use_before_binding_is_a_mistake(tmp_path: Path) -> None:
    """The selection decides about paths, so it has to be known."""
    with pytest.raises(RuntimeError, match="bind"):
        sink(tmp_path).unit_of(partition())


async def test_entries_are_read_one_by_one(tmp_path: Path) -> None:
    """By the manifest's row, from any part, also after the archive was replaced."""
    book = Book(zip_sink(tmp_path, max_part_size=600))
    await book.sync(DOCUMENTS)
    await book.sync({"item-1": b"newer"})
    assert len(book.containers) > 1
    for item, body in {**DOCUMENTS, "item-1": b"newer"}.items():
        assert await book.sink.read(manifest_row(book.rows[key(item)]), 10_000) == body
    row = book.rows[key("item-3")]
    with pytest.raises(TooLarge, match=r"item-3\.json in x"):
        await book.sink.read(manifest_row(row), 10)
    await book.leave()


async def test_what_is_missing_is_none_and_what_is_damaged_is_said(tmp_path: Path) -> None:
    """An archive or entry that is not there; an entry whose bytes are not what they should be."""
    book = Book(zip_sink(tmp_path))
    await book.sync(DOCUMENTS)
    await book.leave()
    row = manifest_row(book.rows[key("item-3")])
    for changes in ({"path": "ghost.json"}, {"container": "ghost.zip"}, {"container": None}):
        assert await book.sink.read(replaced(row, **changes), 10_000) is None
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(b"item-3.json") + 14] ^= 1
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(DestinationChanged, match=r"item-3\.json"):
        await book.sink.read(row, 10_000)
    (tmp_path / "x.zip").write_bytes(b"not an archive")
    with pytest.raises(DestinationChanged, match="it has no directory"):
        await book.sink.read(row, 10_000)


def replaced(row: Any, **changes: Any) -> Any:
    """Return a manifest row with other fields."""
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return type(row)(**{**values, **changes})


@pytest.mark.parametrize("container", ["../x.zip", "/etc/passwd", "a/../../x.zip", "_manifest/x.zip", "C:/x.zip"])
async def test_a_row_that_leads_out_of_the_folder_is_refused(tmp_path: Path, container: str) -> None:
    """The manifest is not trusted when it is read back."""
    book = Book(zip_sink(tmp_path / "out"))
    await book.sync(DOCUMENTS)
    await book.leave()
    row = replaced(manifest_row(book.rows[key("item-3")]), container=container)
    with pytest.raises(DestinationChanged, match="outside"):
        await book.sink.read(row, 10_000)
    found = [one async for one in book.sink.scan({container: Container(container, "t", 1, "0" * 64)})]
    assert [(one.path, one.damage) for one in found] == [("", "its name leads out of the destination")]


@pytest.mark.parametrize("deep", [False, True])
async def test_a_scan_finds_every_entry_of_every_archive(tmp_path: Path, deep: bool) -> None:
    """With `deep`, the digest of each document is what the rows say."""
    book = Book(zip_sink(tmp_path, max_part_size=600))
    await book.sync(DOCUMENTS)
    await book.leave()
    found = {(one.container, one.path): (one.size, one.sha256, one.damage) for one in await scanned(book, deep=deep)}
    assert found == {
        (row.container, row.path): (row.size, row.sha256 if deep else None, None) for row in book.rows.values()
    }


async def test_a_deep_scan_names_the_damage(tmp_path: Path) -> None:
    """A flipped byte by its entry, a torn or missing archive as a whole, a changed one by its own name."""
    book = Book(zip_sink(tmp_path, max_part_size=600))
    await book.sync(DOCUMENTS)
    await book.leave()
    first, second, *rest = sorted(book.containers)
    assert rest
    data = bytearray((tmp_path / first).read_bytes())
    data[data.index(b"item-") + len("item-0.json") + 2] ^= 1
    (tmp_path / first).write_bytes(data)
    (tmp_path / second).write_bytes((tmp_path / second).read_bytes()[:-30])
    (tmp_path / rest[0]).unlink()
    damage = [(one.path, one.container, one.damage) for one in await scanned(book, deep=True) if one.damage is not None]
    assert damage[0][1] == first
    assert damage[0][0].startswith("item-")
    assert damage[1:] == [
        (first, first, "it is not the archive that was published"),
        ("", second, "it has no directory: it is cut short, or no zip archive"),
        ("", rest[0], "the archive is missing"),
    ]


async def test_the_manifest_lies_beside_the_archives(tmp_path: Path) -> None:
    """One object a job, made when it is first asked for."""
    made = zip_sink(tmp_path)
    assert made.manifest("job") is made.manifest("job")
    assert await made.manifest("job").head() is None


async def test_damaged_archives_are_set_aside(tmp_path: Path) -> None:
    """Under a name that no archive has and that nothing overwrites; then the run writes the archive anew."""
    book = Book(zip_sink(tmp_path))
    for number in range(3):
        await book.sync({"a": b"%d" % number})
        await book.leave()
        await book.sink.set_aside(["x.zip", "x.part-00002.zip"])
        await book.sink.set_aside(["x.zip"])
        book.containers.clear()
        book.rows.clear()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["x.zip.damaged", "x.zip.damaged-2", "x.zip.damaged-3"]
    with pytest.raises(DestinationChanged, match="none of an archive"):
        await book.sink.set_aside(["../x.zip"])


@pytest.mark.parametrize("path", ["../a.json", "/a.json", "_manifest/a.json", ""])
async def test_a_path_that_leads_out_is_never_written(tmp_path: Path, path: str) -> None:
    """Nothing of the batch is accepted."""
    book = Book(zip_sink(tmp_path))
    with pytest.raises(SettingsError, match="is no name for an item"):
        await book.write([book.entry("ok", b"1"), replace(book.entry("a", b"1"), path=path)])
    session = await book.session()
    assert (await session.seal()).receipts == ()
    await book.leave()
