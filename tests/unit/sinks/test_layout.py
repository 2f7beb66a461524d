"""Names: templates, the default path, claims; and that no name escapes or collides."""

import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.model.errors import SettingsError
from syncer.model.paths import MANIFEST_FOLDER, MAX_SEGMENT, fold, is_safe
from syncer.model.refs import AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.model.rows import is_item_path
from syncer.sinks.layout import Template, bound_layout, extension_of

ALL = {"batch": "the batch", "annotation_type": "the type", "title": "a word of the partition", "author": "of the item"}
NASTY = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["../x", "..", ".", "CON", "con.json", "a/b", "\u00e9", "e\u0301", "x" * 300, "\x00\x1f", "a.", "a ", " a",
         "a.b .", "_manifest", "_Manifest", "~", "", "LPT1.txt", "a\\b", "c:", "\ud800", "\u0130", "ß", "ss", "-rf",
         "\u202e"]
    ),
)  # fmt: skip


def ref(
    key: ItemKey, *, version: str = "1", fields: Mapping[str, str] | None = None, media: str = "application/json"
) -> AnnotationRef:
    """Return a reference with what a path can use."""
    return AnnotationRef(key, version, fields=fields or {}, media_type=media)


def at(
    path: str | None, key: ItemKey, *, fixed: frozenset[str] = frozenset(), fields: Mapping[str, str] | None = None,
    partition_fields: Mapping[str, str] | None = None, media: str = "application/json",
) -> str:  # fmt: skip
    """Return an item's path under a template."""
    partition = Partition(key.partition, partition_fields or {})
    return bound_layout(path, fixed, ALL).path_of(partition, ref(key, fields=fields, media=media))


KEY = ItemKey("annotation", "7", "b1", "box", "123")


@pytest.mark.parametrize(
    ("fixed", "variables", "expected"),
    [
        ({"project", "batch", "annotation_type"}, ALL, "{item}.json"),
        ({"project"}, ALL, "{batch}/{annotation_type}/{item}.json"),
        ({"batch", "annotation_type"}, ALL, "{project}/{item}.json"),
        (set(), ALL, "{project}/{batch}/{annotation_type}/{item}.json"),
        (set(), {}, "{project}/{item}.json"),
        ({"project"}, {}, "{item}.json"),
        ({"project"}, {"annotation_type": ""}, "{annotation_type}/{item}.json"),
    ],
)
def test_rule_2_the_default_path_drops_what_the_selection_fixes(
    fixed: set[str], variables: Mapping[str, str], expected: str
) -> None:
    """Only fields that are filled and not given by name make folders, whatever was found."""
    assert bound_layout(None, frozenset(fixed), variables).items.text == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, "7/b1/box/123.json"),
        ("{project}/{item}.json", "7/123.json"),
        ("{{{item}}}.json", "{123}.json"),
        ("all of {title}/{author}-{item}.v{version}.json", "all of Streets/ann-123.v1.json"),
        ("{kind}/{item}", "annotation/123"),
        ("x/{item}.jsonl", "x/123.jsonl"),
    ],
)
def test_templates_are_filled(path: str | None, expected: str) -> None:
    """Key fields, the partition's and the item's own words fill a template."""
    assert at(path, KEY, fields={"author": "ann"}, partition_fields={"title": "Streets"}) == expected


def test_where_words_clash_the_key_stands() -> None:
    """A field named like a key field, or like a word of the partition, does not override it."""
    path = "{project}/{title}/{item}.json"
    fields = {"project": "evil", "item": "evil", "title": "evil"}
    assert at(path, KEY, fields=fields, partition_fields={"title": "t", "project": "evil"}) == "7/t/123.json"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("{project}/{itme}.json", "did you mean {item}"),
        ("{nothing_like_it}/{item}.json", "unknown variable {nothing_like_it}"),
        ("{}/{item}.json", "unknown variable {}"),
        ("{item.key}.json", "unknown variable {item.key}"),
        ("{item!r}.json", "unknown variable {item!r}"),
        ("{item", "stray brace"),
        ("item}.json", "stray brace"),
        ("{project}.json", "one name"),
        ("labels.json", "one name"),
        ("../{item}.json", "no safe name"),
        ("/{item}.json", "no safe name"),
        ("a//{item}.json", "no safe name"),
        ("{project}/", "no safe name"),
        ("", "no safe name"),
        ("a\\{item}.json", "no safe name"),
        ("_manifest/{item}.json", "no safe name"),
        ("_Manifest/{item}.json", "no safe name"),
        (".hidden/{item}.json", "no safe name"),
        ("con/{item}.json", "no safe name"),
        ("{item}:{version}.json", "no safe name"),
        ("{item}.", "no safe name"),
        ("x" * 201 + "/{item}", "no safe name"),
    ],
)
def test_bad_templates_are_refused_in_words(path: str, words: str) -> None:
    """A template that can't be right is refused when it is bound, with what to do."""
    with pytest.raises(SettingsError, match=r".") as caught:
        bound_layout(path, frozenset(), ALL)
    assert words in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "word"), [("{batch}/{item}", "split by batch"), ("{annotation_type}/{item}", "no annotation types")]
)
def test_rule_17_an_always_empty_variable_is_refused(path: str, word: str) -> None:
    """A variable that this platform and selection never fill is refused; one that they fix may be used."""
    with pytest.raises(SettingsError, match="always empty") as caught:
        bound_layout(path, frozenset(), {})
    assert word in str(caught.value.hint)
    assert bound_layout(path, frozenset({"batch", "annotation_type"}), {}).items.text == path


def test_a_template_lists_its_variables() -> None:
    """The names in a template are known, and its text is kept as written."""
    template = Template.parse("{a}-{b}/{{c}}/{a}.json", {"a", "b"})
    assert template.variables == {"a", "b"}
    assert template.text == "{a}-{b}/{{c}}/{a}.json"


@pytest.mark.parametrize(
    ("media", "fields", "expected"),
    [
        ("application/json", {}, ".json"),
        ("application/json; charset=utf-8", {"filename": "a.png"}, ".json"),
        ("application/geo+json", {}, ".json"),
        ("application/x-ndjson", {}, ".jsonl"),
        ("IMAGE/PNG", {"filename": "a.jpeg"}, ".png"),
        ("application/octet-stream", {"filename": "scan.PCD"}, ".PCD"),
        ("application/octet-stream", {"filename": "a.tar.gz"}, ".gz"),
        ("application/octet-stream", {"filename": "../.hidden"}, ".bin"),
        ("application/octet-stream", {"filename": "a.x/y"}, ".bin"),
        ("application/octet-stream", {"filename": "a.ev il"}, ".bin"),
        ("", {}, ".bin"),
    ],
)
def test_extensions_follow_the_document(media: str, fields: Mapping[str, str], expected: str) -> None:
    """The media type decides, then the item's file name, and a template's `.json` gives way to it."""
    assert extension_of(media, fields) == expected
    assert at(None, KEY, fields=fields, media=media) == f"7/b1/box/123{expected}"
    assert at("{item}.txt", KEY, fields=fields, media=media) == "123.txt"


@pytest.mark.parametrize(
    ("path", "fixed", "expected"),
    [
        (None, {"project", "batch", "annotation_type"}, "_context/tags.json"),
        (None, {"project"}, "_context/b1/box/tags.json"),
        (None, set(), "_context/7/b1/box/tags.json"),
        ("{project}/{item}.json", {"project", "batch", "annotation_type"}, "_context/7/tags.json"),
        ("street/{item}.json", {"project", "batch", "annotation_type"}, "_context/street/tags.json"),
        ("{title}/{item}.json", {"batch", "annotation_type"}, "_context/7/tags.json"),
        ("{annotation_type}/{author}/{item}.json", {"project"}, "_context/box/b1/tags.json"),
    ],
)
def test_rule_17_context_lies_beside_the_data(path: str | None, fixed: set[str], expected: str) -> None:
    """Context documents go below `_context`, in the data's first folders and those left open."""
    key = ItemKey("context", "7", "b1", "box", "tags")
    assert at(path, key, fixed=frozenset(fixed)) == expected


@pytest.mark.parametrize(
    ("path", "fixed", "expected"),
    [
        (None, {"project", "batch", "annotation_type"}, ("",)),
        (None, set(), ("7/b1/box/", "_context/7/b1/box/")),
        ("{project}/{item}.json", set(), ("7/", "_context/7/b1/box/")),
        ("{project}/{author}/{batch}/{item}.json", set(), ("7/", "_context/7/b1/box/")),
        ("{title}/{item}.json", set(), ("Main St_~c8cb3e2b/", "_context/7/b1/box/")),
        ("{item}/{project}.json", set(), ("",)),
        ("{project}-{item}/{version}.json", set(), ("",)),
    ],
)
def test_rule_4_a_unit_claims_the_folders_that_it_writes_to(
    path: str | None, fixed: set[str], expected: tuple[str, ...]
) -> None:
    """A claim is the part of the path that the partition alone decides; the whole root where that is nothing."""
    partition = Partition(PartitionKey("7", "b1", "box"), {"title": "Main St/"})
    claims = bound_layout(path, frozenset(fixed), ALL).claims(partition)
    assert [claim.partition("~")[0] for claim in claims] == [claim.partition("~")[0] for claim in expected]


@given(NASTY, NASTY, NASTY, NASTY, NASTY, NASTY)
@example("..", "..", "..", "..", "..", "..")
def test_no_name_escapes(project: str, batch: str, kind: str, item: str, title: str, author: str) -> None:
    """Whatever a platform calls its things: every path is safe, no manifest's, NFC, of short segments."""
    partition = Partition(PartitionKey(project, batch, kind), {"title": title})
    for path in (None, "{title}/{author}/{item}-{version}.json", "{title}{batch}/{author}{item}"):
        layout = bound_layout(path, frozenset(), ALL)
        for what in ("annotation", "context"):
            listed = ref(ItemKey(what, project, batch, kind, item), version=title, fields={"author": author})
            rendered = layout.path_of(partition, listed)
            assert is_safe(rendered)
            assert is_item_path(rendered)
            assert unicodedata.is_normalized("NFC", rendered)
            for segment in rendered.split("/"):
                assert len(segment.encode()) <= MAX_SEGMENT
                assert not segment.startswith((".", " "))
                assert not segment.endswith((".", " "))
                assert segment.isprintable()
                assert not fold(segment).startswith(MANIFEST_FOLDER)
            assert rendered.count("/") == layout.path_of(partition, ref(ItemKey(what, "7", "b", "t", "i"))).count("/")
            assert layout.path_of(partition, listed) == rendered


@given(st.lists(st.tuples(NASTY, NASTY, NASTY), min_size=2, max_size=8, unique=True))
@example([("\u00e9", "", "x"), ("e\u0301", "", "x")])
@example([("a/b", "", "x"), ("a_b", "", "x")])
@example([("x" * 300, "y", "z"), ("x" * 301, "y", "z")])
@example([("p", "b", "x" * 300), ("p", "b", "x" * 301)])
def test_rule_19_different_items_get_different_names(keys: list[tuple[str, str, str]]) -> None:
    """Keys that differ by more than letter case get paths that differ on any file system."""
    paths: dict[str, tuple[str, str, str]] = {}
    for project, batch, item in keys:
        path = at("{project}/{batch}/{item}.json", ItemKey("annotation", project, batch, "box", item))
        words = (_same_folder(project), _same_folder(batch), item if item.isascii() else _case(item))
        known = paths.setdefault(fold(path), words)
        assert known == words or tuple(map(_case, known)) == tuple(map(_case, words))


def _same_folder(text: str) -> str:
    """Return what tells folders apart: an empty name and `_` share one, and the ledger settles what is in it."""
    return text or "_"


def _case(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


@given(NASTY, st.lists(NASTY, min_size=2, max_size=2))
def test_all_items_of_a_folder_share_it(title: str, items: list[str]) -> None:
    """An unsafe folder name is cleaned alike for all its items, and the claim names the same folder."""
    partition = Partition(PartitionKey("7"), {"title": title})
    layout = bound_layout("{title}/{item}.json", frozenset(), {"title": ""})
    paths = [layout.path_of(partition, ref(ItemKey("annotation", "7", None, None, item))) for item in items]
    assert all(path.startswith(layout.claims(partition)[0]) for path in paths)
    assert layout.claims(partition)[0] != ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, "7/123@v1.json"),
        ("{item}.json", "123@v1.json"),
        ("a.b/{item}", "a.b/123@v1"),
        ("{project}/{item}.{title}", "7/123.T@v1"),
        ("{version}/{item}.json", "v1/123.json"),
    ],
)
def test_each_version_can_have_a_name_of_its_own(path: str | None, expected: str) -> None:
    """With versions kept the version stands before the extension, of context documents too, unless it is there."""
    partition = Partition(PartitionKey("7"), {"title": "T"})
    layout = bound_layout(path, frozenset(), {"title": ""}, keep=True)
    item = ItemKey("annotation", "7", None, None, "123")
    assert layout.path_of(partition, ref(item, version="v1")) == expected
    context = ItemKey("context", "7", None, None, "config")
    assert layout.path_of(partition, ref(context, version="v1", media="text/xml")).endswith("config@v1.xml")


def test_versions_that_are_cleaned_alike_stay_apart() -> None:
    """Two versions of one item never share a name, whatever signs they hold."""
    layout = bound_layout(None, frozenset(), {}, keep=True)
    item = ItemKey("annotation", "7", None, None, "1")
    paths = {layout.path_of(Partition(PartitionKey("7")), ref(item, version=version)) for version in ("a:b", "a?b")}
    assert len(paths) == 2
