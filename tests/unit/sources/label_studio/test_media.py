"""Files of tasks: through the server with its credential, from others without one, and with the fate of their tasks."""

import pytest
from msgspec.structs import replace

from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, PermissionRefused
from syncer.model.refs import MEDIA, AnnotationRef, ItemKey
from syncer.ports import Selection
from tests.support.foreign import Foreign, foreign_server
from tests.support.mirror import Mirror
from tests.support.studio_source import mirrored, studio_source

KINDS = pytest.mark.parametrize("granularity", ["task", "annotation"])


def platform(*data: object) -> LabelStudioPlatform:
    """Return a server with one project and an annotated task for each data; uploads are named by their numbers."""
    made = LabelStudioPlatform()
    store = made.store
    project = store.create_project("Files")
    store.import_tasks(project, [{"data": each, "annotations": [{"result": []}]} for each in data])
    for number in range(10):
        store.uploads[f"/data/upload/1/{number}.png"] = b"upload %d" % number
    return made


def files(mirror: Mirror) -> dict[str, bytes]:
    """Return the files that a mirror holds."""
    return {key.item: item.data for key, item in mirror.items.items() if key.kind == MEDIA}


def everywhere(foreign: Foreign) -> dict[str, object]:
    """Return data with files in every place and of every kind, and texts that are none."""
    return {
        "image": "/data/upload/1/1.png",
        "signed": f"{foreign.url}/far.png?sig=1",
        "stored": "s3://bucket/a b.png",
        "linked": "gs://bucket/near.png",
        "pages": ["/data/upload/1/2.png", {"url": "/data/upload/1/3.png", "alt": "a page"}, 7],
        "a.b": "/data/upload/1/4.png",
        "text": "see https://example.com/ for more",
        "other": "/api/token/",
        "climb": "/data/upload/../../api/token",
        "climb_encoded": "/data/upload/%2e%2e/%2e%2e/api/token",
        "other_with_route": "/api/token/?next=/data/upload/1/1.png",
        "rows": [[1, 2], None],
    }


@KINDS
async def test_files_come_with_their_tasks_and_only_the_server_sees_the_token(granularity: str) -> None:
    """Uploads, proxied and signed objects, links, lists: each a file of its own; no other host is shown anything."""
    async with foreign_server(**{"far.png": b"far", "near.png": b"near"}) as foreign:
        studio = platform(everywhere(foreign))
        studio.store.objects |= {"s3://bucket/a b.png": b"stored", "gs://bucket/near.png": f"{foreign.url}/near.png"}
        async with studio, mirrored(studio, media=True, granularity=granularity) as mirror:
            await mirror.sync()
            assert files(mirror) == {
                "1.image": b"upload 1", "1.signed": b"far", "1.stored": b"stored", "1.linked": b"near",
                "1.pages.0": b"upload 2", "1.pages.1.url": b"upload 3", "1.a~1b": b"upload 4",
            }  # fmt: skip
            assert not mirror.owed
            assert dict(foreign.asked) == {"/far.png": 1, "/near.png": 1}
            assert foreign.leaked == 0
            assert not studio.traffic.writes
            assert "sig=1" not in str(mirror.cursor)
            await mirror.sync(relist=True)
            assert mirror.opened == []


@KINDS
async def test_files_follow_the_data_and_the_fate_of_their_tasks(granularity: str) -> None:
    """Another address is another file, one that is named no more is gone; a reopened task withdraws its own."""
    images: list[object] = [{"image": f"/data/upload/1/{number}.png", "pages": []} for number in range(4)]
    async with platform(*images) as studio, mirrored(studio, media=True, granularity=granularity) as mirror:
        await mirror.sync()
        studio.store.patch_task(1, {"data": {"image": "/data/upload/1/7.png"}})
        studio.store.patch_task(2, {"data": {"pages": ["/data/upload/1/8.png"]}})
        studio.store.cancel(3)
        studio.store.delete_tasks([4])
        await mirror.sync()
        assert files(mirror) == {"1.image": b"upload 7", "2.pages.0": b"upload 8"}
        assert {key.item for key in mirror.gone if key.kind == MEDIA} == {"2.image", "4.image"}
        assert {key.item for key in mirror.withdrawn if key.kind == MEDIA} == {"3.image"}


async def test_a_file_that_is_missing_is_owed_alone() -> None:
    """An upload that the server lost (500), and an object that no storage has, leave everything else whole."""
    data = ({"image": "/data/upload/1/99.png"}, {"image": "s3://none/x.png"}, {"image": "/data/upload/1/5.png"})
    async with platform(*data) as studio, mirrored(studio, media=True) as mirror:
        await mirror.sync()
        assert {key.item for key in mirror.owed} == {"1.image", "2.image"}
        assert files(mirror) == {"3.image": b"upload 5"}
        assert sum(key.kind == "task" for key in mirror.items) == 3
        studio.store.uploads["/data/upload/1/99.png"] = b"found again"
        studio.store.objects["s3://none/x.png"] = b"connected"
        await mirror.sync()
        assert files(mirror) == {"1.image": b"found again", "2.image": b"connected", "3.image": b"upload 5"}


async def test_a_storage_that_refuses_is_not_the_server_that_does() -> None:
    """A 401 in JSON from where the server sent us fails that file; from the server itself it ends the run."""
    data = ({"image": "s3://bucket/lapsed.png"}, {"image": "/data/upload/1/5.png"})
    async with foreign_server() as foreign, platform(*data) as studio, mirrored(studio, media=True) as mirror:
        foreign.refused["/lapsed.png"] = (401, '{"detail": "Invalid token."}')
        studio.store.objects["s3://bucket/lapsed.png"] = f"{foreign.url}/lapsed.png"
        await mirror.sync()
        assert {key.item for key in mirror.owed} == {"1.image"}
        assert files(mirror) == {"2.image": b"upload 5"}
        assert foreign.leaked == 0
        for route in ("upload", "resolve", "whoami"):
            studio.faults.add("status", route=route, status=401, times=None)
        (ref,) = [AnnotationRef(key, "") for key in mirror.owed]
        with pytest.raises(PermissionRefused):
            _ = [each async for each in mirror.source.open([replace(ref, hint="s3://bucket/lapsed.png")])]


async def test_a_row_that_can_not_be_read_takes_no_file_away() -> None:
    """A task whose documents break every page is owed; its files, which nobody listed, stay."""
    async with (
        platform({"image": "/data/upload/1/1.png"}, {"image": "/data/upload/1/2.png"}) as studio,
        mirrored(studio, media=True, granularity="annotation") as mirror,
    ):
        await mirror.sync()
        studio.store.patch_annotation(1, {"result": [{"text": "\ud800"}]})
        await mirror.sync()
        assert [key.item for key in mirror.owed] == ["1"]
        assert set(files(mirror)) == {"1.image", "2.image"}


async def test_only_the_chosen_keys_name_files() -> None:
    """With `media_fields` other links of the data are left alone."""
    async with (
        platform({"image": "/data/upload/1/1.png", "homepage": "https://example.com/"}) as studio,
        mirrored(studio, media=True, media_fields=["image"]) as mirror,
    ):
        await mirror.sync()
        assert files(mirror) == {"1.image": b"upload 1"}
        assert not mirror.owed


@pytest.mark.parametrize(
    ("item", "outcome"), [("1.image", Body), ("1.gone", ItemFailed), ("9.image", ItemFailed), ("x", ItemFailed)]
)
async def test_files_are_opened_by_their_keys_alone(item: str, outcome: type) -> None:
    """Without a listing before it, the task is asked for the address; what it does not name is gone."""
    async with platform({"image": "/data/upload/1/1.png"}) as studio, studio_source(studio.url, studio.token) as source:
        key = ItemKey(MEDIA, "1", None, None, item)
        (found,) = [each async for each in source.open([AnnotationRef(key, "")])]
        assert isinstance(found, outcome)
        assert isinstance(found, Body) or (isinstance(found, ItemFailed) and found.gone)


async def test_named_tasks_bring_their_files() -> None:
    """A task selected by its id comes with its file."""
    data = ({"image": "/data/upload/1/1.png"}, {"image": "/data/upload/1/2.png"})
    async with platform(*data) as studio, mirrored(studio, media=True) as mirror:
        await mirror.sync(select=Selection(items=("2",)))
        assert files(mirror) == {"2.image": b"upload 2"}


async def test_without_the_option_nothing_changes() -> None:
    """Files are asked for on demand only."""
    async with platform({"image": "/data/upload/1/1.png"}) as studio, mirrored(studio) as mirror:
        await mirror.sync()
        assert not files(mirror)
        assert not mirror.source.features.media
        assert studio.traffic.requests["upload"] == 0


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/a.png", "http://images.example.com/a"]
)  # fmt: skip
async def test_a_link_to_where_nothing_may_be_opened_is_owed(address: str) -> None:
    """Metadata services, private addresses and plain http: never asked, and the rest of the task is stored."""
    async with (
        platform({"image": address, "more": "/data/upload/1/1.png"}) as studio,
        mirrored(studio, media=True) as mirror,
    ):
        await mirror.sync()
        assert {key.item for key in mirror.owed} == {"1.image"}
        assert files(mirror) == {"1.more": b"upload 1"}


async def test_a_file_that_breaks_off_is_not_taken_for_a_shorter_one() -> None:
    """The server sends no length; asked for one byte, it says how long the whole is."""
    async with platform({"image": "/data/upload/1/1.png"}) as studio, mirrored(studio, media=True) as mirror:
        studio.faults.add("garbage", route="upload", times=1)
        await mirror.sync()
        assert not files(mirror)
        assert "it broke off" in next(iter(mirror.owed.values()))
        await mirror.sync()
        assert files(mirror) == {"1.image": b"upload 1"}


async def test_an_empty_file_is_a_file() -> None:
    """Nothing is also whole."""
    async with platform({"image": "/data/upload/1/1.png"}) as studio, mirrored(studio, media=True) as mirror:
        studio.store.uploads["/data/upload/1/1.png"] = b""
        await mirror.sync()
        assert files(mirror) == {"1.image": b""}
