"""Documents are exact slices, whatever kind the contents are of; parts of one whole stand together."""

import json

import pytest

from syncer.net.rows import at_once
from syncer.net.slices import read_page
from syncer.sources.datature.documents import read_part, read_parts
from syncer.sources.datature.wire import moment_of
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import mirrored

ODD = b'{"annotationId":"a1","etag":"e","spec":{"contents":{"kind":"X","x":1.10,"n":12345678901234567890,"\\u0061":1}}}'


def test_a_row_is_kept_to_the_letter() -> None:
    """Numbers, escapes, the order of keys and unknown kinds stay as they were served."""
    page = at_once(read_page(b'{"items":[' + ODD + b'],"nextPage":"t","unknown":[1]}'))
    assert (page.rows, page.next) == ([ODD], "t")
    assert read_part(page.rows[0]).data == ODD


@pytest.mark.parametrize("spoiled", ["NaN", "-Infinity", '"\\ud800"', '"\x01"'])
def test_one_bad_row_does_not_spoil_its_page(spoiled: str) -> None:
    """What no strict parser takes costs its own row, by name; the token of the next page is found all the same."""
    bad = '{"x":SPOILED,"annotationId":"a2","s":"items ] } \\" ["}'.replace("SPOILED", spoiled)
    body = ('{ "nextPage" : "t" , "items" : [' + ODD.decode() + " , " + bad + " ] }").encode()
    page = at_once(read_page(body))
    assert page.next == "t"
    parts = read_parts(page.rows)
    assert [part.data for part in parts.good][:1] == [ODD]
    assert parts.bad == ["a2"] or [part.id for part in parts.good] == ["a1", "a2"]


def test_versions_follow_etag_generation_and_time() -> None:
    """Any of the three makes another version; without them the bytes do."""
    rows = [
        b'{"annotationId":"a","etag":"1","metadata":{"generation":1,"lastUpdated":5}}',
        b'{"annotationId":"a","etag":"2","metadata":{"generation":1,"lastUpdated":5}}',
        b'{"annotationId":"a","etag":"1","metadata":{"generation":2,"lastUpdated":5}}',
        b'{"annotationId":"a","etag":"1","metadata":{"generation":1,"lastUpdated":6.5}}',
        b'{"annotationId":"a"}',
        b'{"annotationId":"a","spec":null}',
    ]
    assert len({read_part(row).version for row in rows}) == len(rows)


def test_times_are_milliseconds_or_seconds() -> None:
    """Both units are understood, floats too; nonsense is no time."""
    assert moment_of(1_760_000_000_000) == moment_of(1_760_000_000.0)
    assert moment_of(0) is None
    assert moment_of(1e300) is None


@pytest.mark.parametrize("kind", ["vqa", "freeform"])
async def test_kinds_that_the_vendor_cannot_read_arrive(kind: str) -> None:
    """VQA and freeform annotations are stored as served, though no client knows their form."""
    async with DataturePlatform() as platform:
        dataset = platform.dataset(kind=kind)
        dataset.generate(4, 2)
        async with mirrored(platform) as mirror:
            await mirror.sync()
            stored = {key.item.partition(".")[2]: item.data for key, item in mirror.items.items()}
            every = [each for asset in dataset.assets.values() for each in asset.annotations.values()]
            assert stored == {each.id: each.served() for each in every}


async def test_an_asset_document_keeps_the_parts_of_a_whole_together() -> None:
    """With `granularity: asset` wholes follow in the order of their first parts, each part exactly as served."""
    async with DataturePlatform() as platform:
        dataset = platform.dataset()
        asset = dataset.add_asset()
        wholes = ["w1", "w2", "w1", "w3", "w2"]
        parts = [dataset.add_annotation(asset.id, whole=whole) for whole in wholes]
        async with mirrored(platform, granularity="asset") as mirror:
            await mirror.sync()
            ((key, item),) = mirror.items.items()
        assert (key.kind, key.item) == ("asset", asset.id)
        document = json.loads(item.data)
        assert document["asset"] == asset.resource
        order = [part["spec"]["aggregation"]["whole"]["id"] for part in document["annotations"]]
        assert order == ["w1", "w1", "w2", "w2", "w3"]
        assert all(part.served() in item.data for part in parts)
