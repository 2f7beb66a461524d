"""Documents: exact slices of what was served, with only the declared keys cut out."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.net.rows import Steps, at_once
from syncer.sources.label_studio.choice import Choice
from syncer.sources.label_studio.documents import Reader, Unreadable
from syncer.sources.label_studio.options import VOLATILE

Json = dict[str, object]

ODD = (
    b'{"image":"a.png","price":1.10,"big":12345678901234567890123,"tiny":1E-7,"zero":-0.0,"dup":1,"dup":2,'
    b'"esc":"\\u00e9\\/\\ud83d\\ude00","uni":"\xc3\xa9"}'
)


def reader(kind: str = "task", choice: Choice | None = None, volatile: tuple[str, ...] = VOLATILE) -> Reader:
    """Return a reader of project 7."""
    return Reader("7", kind, choice or Choice(), frozenset(volatile))


def annotation(number: int = 1, **more: object) -> Json:
    """Return an annotation as the list serves it."""
    return {
        "id": number,
        "result": [],
        "completed_by": 1,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-22T04:33:43Z",
        "updated_at": f"2026-11-22T04:33:4{number}Z",
        "last_action": None,
        "task": 5,
        "project": 7,
        **more,
    }


def task(*annotations: Json, **more: object) -> Json:
    """Return a task as the list serves it."""
    cancelled = sum(bool(each["was_cancelled"]) for each in annotations)
    return {
        "id": 5,
        "annotations": list(annotations),
        "total_annotations": len(annotations) - cancelled,
        "cancelled_annotations": cancelled,
        "data": {"image": "a/b.png"},
        "created_at": "2026-11-22T04:33:42Z",
        "updated_at": "2026-11-22T04:33:44Z",
        **more,
    }


def raw(value: object) -> bytes:
    """Return compact JSON, as the server writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def page(*rows: bytes) -> bytes:
    """Return a page of rows."""
    return b'{"total_annotations":0,"total_predictions":0,"total":%d,"tasks":[%b]}' % (len(rows), b",".join(rows))


def test_a_task_that_needs_no_cut_is_stored_byte_for_byte() -> None:
    """Number spelling, huge integers, duplicate keys, escapes and key order are those of the server (rule 16)."""
    row = raw(task(annotation(result="RESULT"), data="DATA"))
    row = row.replace(b'"DATA"', ODD).replace(b'"RESULT"', b'[{"value":%b}]' % ODD)
    total, rows = at_once(reader().whole(page(row)))
    assert total == 1
    assert rows[0].refs[0].inline == row
    assert rows[0].refs[0].size == len(row)


def test_volatile_keys_are_cut_and_their_neighbours_are_not_touched() -> None:
    """`created_ago` goes from every annotation; what stands beside it keeps its spelling and order."""
    row = raw(task(annotation(1, created_ago="1 day", result="RESULT"), is_labeled=True, data="DATA"))
    row = row.replace(b'"DATA"', ODD).replace(b'"RESULT"', ODD)
    (found,) = at_once(reader().whole(page(row)))[1]
    expected = row.replace(b',"created_ago":"1 day"', b"").replace(b',"is_labeled":true', b"")
    assert found.refs[0].inline == expected
    (kept,) = at_once(reader(volatile=()).whole(page(row)))[1]
    assert kept.refs[0].inline == row


def test_skipped_annotations_are_left_out_of_the_document() -> None:
    """The array holds finished ones only; the counts of the task stay as served."""
    skipped = annotation(2, was_cancelled=True)
    (found,) = at_once(reader().whole(page(raw(task(annotation(1), skipped, annotation(3))))))[1]
    document = json.loads(found.refs[0].inline or b"")
    assert [each["id"] for each in document["annotations"]] == [1, 3]
    assert document["cancelled_annotations"] == 1
    (every,) = at_once(reader(choice=Choice(include_cancelled=True)).whole(page(raw(task(annotation(1), skipped)))))[1]
    assert every.refs[0].inline == raw(task(annotation(1), skipped))


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (Choice(ground_truth="only"), [2]),
        (Choice(ground_truth="exclude"), [1, 3]),
        (Choice(users=frozenset({9})), [3]),
        (Choice(actions=frozenset({"accepted", "fixed_and_accepted"})), [1]),
        (Choice(users=frozenset({9}), actions=frozenset({"accepted"})), []),
    ],
)
def test_annotations_are_chosen_by_what_they_say(choice: Choice, kept: list[int]) -> None:
    """Ground truth, author and last action decide, in both granularities, and a task without any is not finished."""
    heads = [
        annotation(1, last_action="accepted"),
        annotation(2, ground_truth=True, last_action="rejected"),
        annotation(3, completed_by=9),
    ]
    body = page(raw(task(*heads)))
    (found,) = at_once(reader(choice=choice).whole(body))[1]
    if kept:
        document = json.loads(found.refs[0].inline or b"")
        assert [each["id"] for each in document["annotations"]] == kept
    else:
        assert not found.refs
        assert found.others[0].reason == "no annotation that was chosen"
    (single,) = at_once(reader("annotation", choice).whole(body))[1]
    assert [ref.key.item for ref in single.refs] == [str(number) for number in kept]
    assert len(single.others) == 3 - len(kept)


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [((), "no finished annotation"), ((annotation(1, was_cancelled=True),), "skipped")],
)
def test_a_task_without_finished_annotations_is_no_item(annotations: tuple[Json, ...], reason: str) -> None:
    """It is named, so that it can be withdrawn if it was stored before."""
    (found,) = at_once(reader().whole(page(raw(task(*annotations)))))[1]
    assert (found.refs, found.others[0].reason) == ((), reason)


def test_lean_and_whole_pages_agree_on_every_reference() -> None:
    """Key, version, time and the variables of paths are the same, whichever listing a task is read from."""
    row = task(annotation(1), annotation(2, was_cancelled=True), inner_id=4)
    for kind in ("task", "annotation"):
        (whole,) = at_once(reader(kind).whole(page(raw(row))))[1]
        (lean,) = at_once(reader(kind).lean(page(raw(row))))[1]
        assert [ref.key for ref in lean.refs] == [ref.key for ref in whole.refs]
        assert [ref.version for ref in lean.refs] == [ref.version for ref in whole.refs]
        assert [ref.updated_at for ref in lean.refs] == [ref.updated_at for ref in whole.refs]
        assert lean.others == whole.others
        names = ("filename", "created", "inner_id", "created_at", "updated_at")
        assert [lean.refs[0].fields.get(name) for name in names] == [whole.refs[0].fields.get(name) for name in names]
        assert lean.refs[0].inline is None


def test_an_annotation_is_a_document_with_all_its_keys() -> None:
    """Only volatile keys are missing; its task is its group, and the task closes it."""
    one = annotation(1, created_ago="now", created_username=" ann@example.com, 1")
    (found,) = at_once(reader("annotation").whole(page(raw(task(one)))))[1]
    assert found.refs[0].inline == raw(one).replace(b',"created_ago":"now"', b"")
    assert (found.group, found.refs[0].group) == ("5", "5")
    assert found.refs[0].fields["task"] == "5"
    head, single = reader("annotation").annotation(raw(one))
    assert (head.id, single.refs[0].inline, single.group) == (1, found.refs[0].inline, None)
    assert single.refs[0].version == found.refs[0].version


@pytest.mark.parametrize(
    "row",
    [
        b'{"id":5,"spoiled":NaN}',
        b'{"id":5,"spoiled":-Infinity}',
        b'{"id":5,"spoiled":"\\ud800"}',
        b'{"id":5,"spoiled":"\xff\xfe"}',
        b'{"id":5,"spoiled":"\x01"}',
        b'{"id":5,"spoiled":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"id":5,"spoiled":,}',
        b'{"id":"five"}',
        b"<html>",
        b"",
    ],
)
@pytest.mark.parametrize("how", [Reader.whole, Reader.lean])
def test_what_is_no_json_is_unreadable(row: bytes, how: Callable[[Reader, bytes], Steps[object]]) -> None:
    """Every way in which a page can fail to parse is one error, without a piece of the page in its message."""
    with pytest.raises(Unreadable) as caught:
        at_once(how(reader(), page(raw(task(annotation())), row)))
    assert "spoiled" not in str(caught.value)


@pytest.mark.parametrize(("kind", "choice"), [("annotation", Choice()), ("task", Choice(ground_truth="only"))])
def test_missing_annotations_are_not_taken_for_none(kind: str, choice: Choice) -> None:
    """A server that leaves them out must not make every stored annotation look deleted."""
    row = task()
    del row["annotations"]
    for how in (reader(kind, choice).whole, reader(kind, choice).lean):
        with pytest.raises(Unreadable, match="without its annotations"):
            at_once(how(page(raw(row))))
    with pytest.raises(Unreadable, match="without its annotations"):
        at_once(reader().whole(page(raw(row))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    data=st.dictionaries(st.text(max_size=5), JSON, max_size=4), result=st.lists(JSON, max_size=3), cut=st.booleans()
)
def test_any_document_survives_reading(data: Json, result: list[object], cut: bool) -> None:  # drawn
    """Whatever JSON a platform holds, the stored document is what was served, without the keys that were cut."""
    extra = {"created_ago": "now"} if cut else {}
    expected = raw(task(annotation(result=result), data=data))
    (found,) = at_once(reader().whole(page(raw(task(annotation(result=result, **extra), data=data)))))[1]
    assert found.refs[0].inline == expected
