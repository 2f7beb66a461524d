"""Where two claims can meet."""

import pytest

from syncer.state.claims import absolute, around, below


def meet(one: str, other: str) -> bool:
    """Tell whether a search around and below one claim finds the other."""
    first, end = below(one)
    return other in around(one) or first <= other < end


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("s3://b/x/", "s3://b/x/", True),
        ("s3://b/", "s3://b/x/7.zip", True),
        ("s3://b/x/7.zip", "s3://b/x/7.zip", True),
        ("s3://b/x/7.zip", "s3://b/x/7.zip.old", False),
        ("s3://b/x/", "s3://b/xy/", False),
        ("s3://b/x/", "s3://b/x0", False),
        ("s3://b/x/7/", "s3://b/x/7.zip", False),
        ("s3://b/x/", "s3://b/x/\U0010ffff/", True),
    ],
)
def test_a_prefix_contains_and_an_archive_is_itself_rule_4(one: str, other: str, *, expected: bool) -> None:
    """Equal, or inside a directory prefix; either way round."""
    assert meet(one, other) is expected
    assert meet(other, one) is expected


def test_a_claim_is_one_url_however_its_root_is_spelled() -> None:
    """A slash more or less behind the root changes nothing; no path means everything."""
    assert absolute("file:out/", "7/") == absolute("file:out", "7/") == "file:out/7/"
    assert absolute("s3://b", "") == "s3://b/"
