"""Options: what can be set, and what of it makes a cursor void."""

from typing import Any

import pytest
from pydantic import ValidationError

from syncer.sources.clarifai.options import RATE, ClarifaiOptions


def options(**values: Any) -> ClarifaiOptions:
    """Return options with a key."""
    return ClarifaiOptions(token="x", **values)


def test_the_rate_keeps_clear_of_the_quota() -> None:
    """A little less than fifteen a second, also where other limits are set; None lifts it."""
    assert options().network().requests_per_second == RATE
    assert RATE < 15
    assert options(limits={"concurrency": 4}).network().requests_per_second == RATE
    assert options(limits={"requests_per_second": None}).network().requests_per_second is None


def test_statuses_are_codes_or_names() -> None:
    """Both spellings, each once; what is no status of an annotation is refused."""
    assert options(finished=["ANNOTATION_SUCCESS", 24150, "24157"]).statuses == {24150, 24157}
    for wrong in (["DONE"], [11005], [30000], []):
        with pytest.raises(ValidationError):
            options(finished=wrong)


def test_rule_15_what_chooses_documents_voids_cursors_and_what_shapes_them_changes_fingerprints() -> None:
    """Choices are in the digest; only where an input holds its annotations are they in the shape, too."""
    choices = ({"finished": [24157]}, {"list_all": True}, {"input_level": "only"})
    for choice in choices:
        assert options(**choice).digest() != options().digest()
        assert options(**choice).shape() == options().shape()
        assert options(granularity="input", **choice).shape() != options(granularity="input").shape()
    assert options(granularity="input").digest() != options().digest()
    assert options(page_size=10, full_every="1d").digest() == options().digest()
