"""Options: defaults, what shapes documents, what a cursor stands for."""

import pytest
from pydantic import ValidationError

from syncer.sources.label_studio import PLUGIN
from syncer.sources.label_studio.options import LabelStudioOptions


def options(**given: object) -> LabelStudioOptions:
    """Return options with a token."""
    return LabelStudioOptions.model_validate({"token": "secret-token", **given})


def test_defaults_are_those_of_the_vendors_sdk() -> None:
    """URL and token come from the variables that label-studio-sdk reads."""
    assert options().url == "http://localhost:8080"
    assert PLUGIN.defaults == {"token": ("env:LABEL_STUDIO_API_KEY",), "url": ("env:LABEL_STUDIO_URL",)}
    assert options().granularity == "task"
    assert (options().full_every, options().overlap) == (7 * 86400, 600)


def test_durations_are_written_as_people_write_them() -> None:
    """Units are accepted, nonsense is refused."""
    assert options(full_every="1d", overlap="90s").full_every == 86400
    with pytest.raises(ValidationError):
        options(overlap="soon")


def test_users_are_numbers_or_addresses() -> None:
    """A number that YAML or --set gave as text is a number."""
    assert options(completed_by=["3", 4, "ann@example.com"]).completed_by == [3, 4, "ann@example.com"]


def test_the_digest_follows_what_shapes_documents_and_nothing_else() -> None:
    """A cursor survives another page size, not another choice of annotations."""
    assert options(page_size=50, overlap=0, url="https://x.example").digest() == options().digest()
    others = [
        options(granularity="annotation"),
        options(include_cancelled=True),
        options(ground_truth="only"),
        options(completed_by=[1]),
        options(review=["accepted"]),
        options(volatile=[]),
    ]
    assert len({each.digest() for each in [options(), *others]}) == 7


def test_choosing_annotations_shapes_documents_only_where_they_hold_several() -> None:
    """A task's document holds the chosen ones; an annotation's is the same however it was chosen."""
    assert options().shape() != options(ground_truth="only").shape()
    single = options(granularity="annotation")
    assert single.shape() == options(granularity="annotation", ground_truth="only").shape()
    assert single.digest() != options(granularity="annotation", ground_truth="only").digest()


def test_the_token_never_shows() -> None:
    """Neither repr nor a dump holds it."""
    assert "secret-token" not in repr(options())
    assert "secret-token" not in str(options().model_dump())
