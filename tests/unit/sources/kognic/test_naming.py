"""Names of annotations, links that run out, and the memory of a pass."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncer.model.errors import NotFound
from syncer.model.refs import PartitionKey
from syncer.sources.kognic.links import Aim, Hint, Links, is_stale, read_hint
from syncer.sources.kognic.naming import Found, apart, by_scene, item_of, scene_of
from syncer.sources.kognic.rows import order, version_of
from syncer.sources.kognic.seen import Seen
from tests.support.clock import START, InstantClock

KEY = PartitionKey("p", "b", "t")


def found(request: str, day: int, **more: str) -> Found:
    """Return an annotation of one scene that was delivered on a day of November."""
    return Found("s", f"2026-11-{day:02}T00:00:00.000000Z", request=request, **more)


def names(rows: list[Found], *taken: str) -> dict[str, str]:
    """Return which request has which name."""
    return {each.request: name for name, each in apart(rows, {item_of("s", request) for request in taken})}


def test_the_oldest_keeps_the_plain_name() -> None:
    """Whatever the order of the listing; others are called after their requests; equal times go by request."""
    rows = [found("b", 3), found("a", 5), found("c", 3)]
    assert names(rows) == names(rows[::-1]) == {"b": "s", "c": "s~c", "a": "s~a"}


def test_a_name_stays_when_a_correction_makes_an_annotation_the_newest() -> None:
    """What is stored under its request's name keeps it, also when it is the oldest now."""
    assert names([found("b", 9), found("a", 5)], "a") == {"b": "s", "a": "s~a"}
    assert names([found("a", 5)], "a") == {"a": "s~a"}


def test_of_one_request_the_newest_counts() -> None:
    """Two deliveries of one request are one item."""
    (pair,) = apart([found("a", 5), found("a", 7), found("a", 6)], ())
    assert pair == ("s", found("a", 7))


def test_a_scene_that_is_asked_names_its_annotations_by_their_number() -> None:
    """Alone, the scene's name; one of several, the request's too; a repeated one once."""
    rows = [
        found("a", 1),
        replace(found("b", 2), scene="t", alone=False),
        replace(found("c", 3), scene="t", alone=False),
    ]
    assert [name for name, _ in by_scene([*rows, rows[0]])] == ["s", "t~b", "t~c"]
    assert scene_of("t~b") == ("t", "b")
    assert scene_of("t") == ("t", "")


def test_versions_are_spelt_alike_whichever_route_says_them() -> None:
    """Zones and fractions do not make a document differ; what is no time is its own version."""
    spelt = {"2026-10-02T08:12:23.000001Z", "2026-10-02T10:12:23.000001+02:00", "2026-10-02T08:12:23.000001000"}
    assert {version_of(each) for each in spelt} == {"2026-10-02T08:12:23.000001Z"}
    assert version_of("yesterday") == "yesterday"
    assert order("yesterday") < order("0001-01-02T00:00:00Z")


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9)), max_size=3000))
def test_every_repeat_is_noticed(rows: list[tuple[str, int]]) -> None:
    """The table of a pass agrees with a dictionary, at any size."""
    seen, expected = Seen(), dict[str, float]()
    for name, number in rows:
        assert (name in seen) == (name in expected)
        assert seen.note(name, number) == expected.get(name)
        expected[name] = number
    assert seen.count == len(expected)


def test_the_memory_of_a_pass_is_a_few_bytes_a_scene() -> None:
    """A table of many thousand scenes still finds them all, after growing often."""
    seen = Seen()
    assert [seen.note(f"scene-{number}", number) for number in range(20_000)] == [None] * 20_000
    assert [seen.note(f"scene-{number}", 0) for number in range(20_000)] == list(range(20_000))
    assert seen._digests.itemsize + seen._numbers.itemsize == 16
    assert len(seen._digests) <= 65_536


@pytest.mark.parametrize(
    ("query", "age", "stale"),
    [
        ("X-Goog-Date=20261122T120000Z&X-Goog-Expires=900", 869, False),
        ("X-Goog-Date=20261122T120000Z&X-Goog-Expires=900", 871, True),
        ("X-Goog-Date=20261122T120000Z&X-Goog-Expires=2", 1, False),
        ("X-Goog-Date=20261122T120000Z&X-Goog-Expires=2", 1.6, True),
        ("X-Amz-Date=20261122T120000Z&X-Amz-Expires=900", 871, True),
        ("X-Goog-Date=yesterday&X-Goog-Expires=900", 1e6, False),
        ("X-Goog-Date=20261122T120000Z&X-Goog-Expires=soon", 1e6, False),
        ("Signature=abc", 1e6, False),
    ],
)
def test_links_say_when_they_run_out(query: str, age: float, stale: bool) -> None:
    """Half a minute, or a quarter of a short life, before the end a link is not used any more; others never say."""
    assert is_stale(f"https://storage.example/a.json?{query}", START + timedelta(seconds=age)) == stale


def test_hints_are_text_and_anything_else_is_none() -> None:
    """A hint survives being written down; a foreign one is ignored."""
    hint = Hint("https://storage.example/a?x=1", "17", paged=True)
    assert read_hint(hint.text()) == hint
    assert read_hint(None) is read_hint("https://a.example/b") is None


class Pages:
    """A page whose links change each time it is listed."""

    def __init__(self, *scenes: str) -> None:
        self.scenes = scenes
        self.listed = 0

    async def relist(self, partition: PartitionKey, page: str | None) -> list[Found]:
        """Return the page anew."""
        assert (partition, page) == (KEY, "2")
        self.listed += 1
        return [Found(scene, "v1", f"https://s.example/{scene}?{self.listed}") for scene in self.scenes]


async def test_one_listing_serves_all_items_of_a_page() -> None:
    """A page is listed anew for the first that asks; a refused new link has it listed again."""
    pages, hint = Pages("a", "b"), Hint("old", "2", paged=True)
    links = Links(pages.relist, InstantClock())
    row, new = await links.renewed(KEY, hint, "a", "v1", "old")
    assert (row and row.uri, new) == ("https://s.example/a?1", True)
    row, new = await links.renewed(KEY, hint, "b", "v1", "old")
    assert (row and row.uri, new) == ("https://s.example/b?1", False)
    row, new = await links.renewed(KEY, hint, "b", "v1", "https://s.example/b?1")
    assert (row and row.uri, new) == ("https://s.example/b?2", True)
    assert await links.renewed(KEY, hint, "c", "v1", None) == (None, True)
    assert pages.listed == 3


async def test_an_aim_gives_the_listed_link_first_and_a_new_one_after_a_refusal() -> None:
    """A refused new link is the end; so is a page that does not have the row any more."""
    pages, hint = Pages("a"), Hint("https://s.example/a?0", "2", paged=True)
    links = Links(pages.relist, InstantClock())

    async def renew(refused: str | None) -> tuple[Found | None, bool]:
        return await links.renewed(KEY, hint, "a", "v1", refused)

    aim = Aim(renew, links.usable, hint.uri, "v0")
    assert (await aim(), aim.version, aim.spent) == (hint.uri, "v0", False)
    aim.refused = aim.given
    assert (await aim(), aim.version, aim.spent) == ("https://s.example/a?1", "v1", True)
    pages.scenes = ()
    aim.refused = aim.given
    with pytest.raises(NotFound):
        await aim()
    assert aim.gone


async def test_a_link_near_its_end_is_not_even_tried() -> None:
    """The new one is asked for before anything is sent."""
    old = f"https://s.example/a?X-Goog-Date={datetime(2026, 11, 22, 11, tzinfo=UTC):%Y%m%dT%H%M%SZ}&X-Goog-Expires=60"
    pages = Pages("a")
    links = Links(pages.relist, InstantClock())

    async def renew(refused: str | None) -> tuple[Found | None, bool]:
        assert refused is None
        return await links.renewed(KEY, Hint(old, "2", paged=True), "a", "v1", refused)

    assert await Aim(renew, links.usable, old, "v1")() == "https://s.example/a?1"
