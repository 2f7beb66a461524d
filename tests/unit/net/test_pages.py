"""A listing that goes in circles is stopped."""

import pytest

from syncer.model.errors import BadBody
from syncer.net.pages import PageTokens


def test_a_repeated_token_is_an_error() -> None:
    """The first repeat is refused, with the listing's place and without its query."""
    tokens = PageTokens("https://h.example/list?key=SECRET")
    assert [tokens.follow("a"), tokens.follow("b")] == ["a", "b"]
    with pytest.raises(BadBody, match="after 2 pages") as caught:
        tokens.follow("a")
    assert "SECRET" not in str(caught.value)
