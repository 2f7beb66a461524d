"""When two claims meet."""

import pytest

from syncer.state.claims import absolute, overlap


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("s3://b/x/", "s3://b/x/", True),
        ("s3://b/", "s3://b/x/7.zip", True),
        ("s3://b/x/7.zip", "s3://b/x/7.zip", True),
        ("s3://b/x/7.zip", "s3://b/x/7.zip.old", False),
        ("s3://b/x/", "s3://b/xy/", False),
        ("s3://b/x/7/", "s3://b/x/7.zip", False),
    ],
)
def test_a_prefix_contains_and_an_archive_is_itself_rule_4(one: str, other: str, *, meet: bool) -> None:
    """Equal, or inside a directory prefix; either way round."""
    assert overlap(one, other) is meet
    assert overlap(other, one) is meet


def test_a_claim_is_one_url_however_its_root_is_spelled() -> None:
    """A slash more or less behind the root changes nothing; no path means everything."""
    assert absolute("file:out/", "7/") == absolute("file:out", "7/") == "file:out/7/"
    assert absolute("s3://b", "") == "s3://b/"
