"""Rows: identity, versions and times."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.paths import clean_segment
from syncer.sources.clarifai.rows import (
    Head,
    InputHead,
    fields_of,
    input_fields_of,
    item_of,
    moment_of,
    parts_of,
    version_of,
)

ids = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


def head(**values: object) -> Head:
    """Return a head as it would be read."""
    return msgspec.convert({"id": "a1", "input_id": "i1", **values}, Head)


@given(ids, ids)
def test_rule_11_an_item_names_input_and_annotation(input_id: str, annotation: str) -> None:
    """Both ids come back from an item's id, whatever signs they have; different pairs never share one."""
    assert parts_of(item_of(input_id, annotation)) == (input_id, annotation)


def test_usual_ids_make_plain_names() -> None:
    """Letters, digits, dashes and underscores stay as they are, and are a safe file name."""
    item = item_of("140c856dc82565d2", "img_01-a")
    assert item == "140c856dc82565d2.img_01-a"
    assert clean_segment(f"{item}.json", "key") == f"{item}.json"
    assert item_of("a.b", "c/d") == "a%2Eb.c%2Fd"


@pytest.mark.parametrize("item", ["", "a", ".b", "a.", "a.b.c"])
def test_what_is_no_item(item: str) -> None:
    """Anything but two parts names nothing."""
    assert parts_of(item) is None


@pytest.mark.parametrize(
    ("text", "micro"),
    [("2026-01-02T10:00:00Z", 0), ("2026-01-02T10:00:00.5Z", 500_000), ("2026-01-02T10:00:00.123456789Z", 123_456),
     ("2026-01-02T12:00:00.1+02:00", 100_000), ("2026-01-02T10:00:00", 0)],
)  # fmt: skip
def test_times_have_any_number_of_digits(text: str, micro: int) -> None:
    """From none to nine digits, with any offset; what is no time is None."""
    assert moment_of(text) == datetime(2026, 1, 2, 10, 0, 0, micro, tzinfo=UTC)
    assert moment_of("yesterday") is None


def test_versions_follow_every_digit_and_the_status() -> None:
    """A nanosecond, another creation or another status is another version; another spelling of a moment is not."""
    times = {"modified_at": "2026-01-02T10:00:00.123456789Z", "created_at": "2026-01-01T10:00:00Z"}
    done = {"status": {"code": 24150}}
    first = version_of(head(**times, **done), b"x")
    assert first == "20260102T100000.123456789Z~20260101T100000Z"
    assert version_of(head(**{**times, "modified_at": "2026-01-02T10:00:00.123456788Z"}, **done), b"x") != first
    assert version_of(head(**times, status={"code": "ANNOTATION_SUCCESS"}), b"y") == first
    assert version_of(head(**times, status={"code": 24157}), b"x") == f"{first}~24157"
    assert version_of(head(**{**times, "created_at": "2026-01-01T12:00:00+02:00"}, **done), b"x") == first
    assert version_of(head(), b"x") != version_of(head(), b"y")


def test_authors_come_from_the_worker_or_from_older_fields() -> None:
    """A user, the version of a model, a workflow; without a worker the deprecated fields."""
    assert head(worker={"user": {"id": "ann"}}, user_id="bob").author == "ann"
    machine = head(worker={"model": {"id": "m", "model_version": {"id": "v1"}}})
    assert (machine.author, machine.made_by_machine) == ("v1", True)
    flow = head(worker={"workflow": {"id": "w"}})
    assert (flow.author, flow.made_by_machine) == ("w", True)
    assert (head(user_id="bob").author, head(user_id="bob").made_by_machine) == ("bob", False)
    assert head(model_version_id="v2").author == "v2"


def test_fields_name_what_there_is() -> None:
    """Ids, days, times, status by name, task and author; empty ones are left out."""
    fields = fields_of(head(created_at="2026-01-02T10:00:00Z", status={"code": 24150}, task_id="t1"))
    assert (fields["created"], fields["status"], fields["task_id"]) == ("2026-01-02", "ANNOTATION_SUCCESS", "t1")
    assert "author" not in fields
    data = msgspec.Raw(b'{"image":{"url":"https://example.org/a/b%20c.jpg?x=1#y"}}')
    assert input_fields_of(InputHead("i1", data=data))["filename"] == "b c.jpg"
    assert "filename" not in input_fields_of(InputHead("i1", data=msgspec.Raw(b'{"image":[]}')))
