"""Batches: their names, what they ask for, and what belongs to them."""

import msgspec
import pytest

from syncer.model.errors import SettingsError
from syncer.sources.clarifai.batches import Scope, scope_of
from syncer.sources.clarifai.rows import Head


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        (None, Scope()), ("ds1", Scope("dataset", ("ds1",))), ("dataset=ds1", Scope("dataset", ("ds1",))),
        ("task=t1", Scope("task", ("t1",))), ("inputs=b, a,b", Scope("inputs", ("a", "b"))),
        ("version=ds1/v1", Scope("version", ("ds1/v1",))),
        ("users=u", Scope("users", ("u",))), ("model_versions=v2,v1", Scope("model_versions", ("v1", "v2"))),
    ],
)  # fmt: skip
def test_names_are_read_and_have_one_spelling(name: str | None, scope: Scope) -> None:
    """Lists are sorted, each once; the name that stands in keys reads back as the same."""
    assert scope_of(name) == scope
    assert scope_of(scope.name) == scope


@pytest.mark.parametrize("name", ["tasks=t1", "version=v1", "version=/v1", "inputs=", "users= , ", "=x"])
def test_what_names_no_batch_is_refused(name: str) -> None:
    """A kind that there is not, or a list of nothing."""
    with pytest.raises(SettingsError):
        scope_of(name)


def test_what_a_batch_asks_for() -> None:
    """Lists narrow by repeated parameters; searches by one value, and by datasets."""
    assert scope_of("users=a,b").params() == [("user_ids", "a"), ("user_ids", "b")]
    assert scope_of("users=a,b").filters() == []
    assert scope_of("task=t1").filters() == [{"annotation": {"task_id": "t1"}}]
    assert scope_of("ds1").filters() == [{"input": {"dataset_ids": ["ds1"]}}]
    assert scope_of("ds1").params() == scope_of(None).params() == []


@pytest.mark.parametrize(
    ("name", "inside"),
    [(None, True), ("ds1", True), ("task=t1", True), ("task=t2", False), ("inputs=i1", True), ("inputs=i2", False),
     ("users=u1", True), ("users=u2", False), ("workers=u1", True), ("model_versions=v1", False)],
)  # fmt: skip
def test_what_belongs_to_a_batch(name: str | None, inside: bool) -> None:
    """An annotation is of a batch by its own fields; for datasets, the listing alone can tell."""
    head = msgspec.convert({"id": "a", "input_id": "i1", "task_id": "t1", "user_id": "u1"}, Head)
    assert (scope_of(name).reason_against(head) == "") is inside
