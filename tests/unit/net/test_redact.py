"""Nothing secret in texts for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.net import redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(("url", "expected"), [
    ("https://user:pw@h.example:8/a/b?token=x#y", "https://h.example:8/a/b"), ("https://h/a", "https://h/a"),
    ("https://[::1/x", "(unreadable URL)"),
])  # fmt: skip
def test_rule_24_urls_lose_user_query_and_fragment(url: str, expected: str) -> None:
    """What is left of a URL is where it leads."""
    assert redact.redact_url(url) == expected


@pytest.mark.parametrize("text", [
    "Authorization: Token 0123456789abcdef", "{'Authorization': 'Bearer SECRETSECRET'}", "bearer SECRETSECRET99",
    f"token is {JWT}", "see https://h/x?X-Amz-Signature=SECRETSECRET for more", "api_key=SECRETSECRET&x=1",
    '{"access_token": "SECRETSECRET"}', "https://u:SECRETSECRET@h/x", "Cookie: sessionid=SECRETSECRET",
    "password: SECRETSECRET", "Proxy-Authorization: Basic SECRETSECRET",
])  # fmt: skip
def test_rule_24_texts_lose_credentials(text: str) -> None:
    """Headers, tokens, keys and links in a text are masked."""
    masked = redact.redact_text(text)
    assert "SECRET" not in masked
    assert JWT not in masked
    assert "0123456789abcdef" not in masked


def test_rule_24_a_registered_value_is_masked_anywhere() -> None:
    """A value that was said to be secret is masked wherever it stands; words too short to be one are left."""
    redact.remember("very+special(value")
    redact.remember("abc")
    assert redact.redact_text("a very+special(value in abc") == "a *** in abc"
    assert redact.redact_url("https://h/very+special(value/x") == "https://h/***/x"


def test_ordinary_texts_stay() -> None:
    """Messages for people stay readable."""
    text = "GET https://h.example/api/tasks answered 503 (5 attempts): no key was found, the token expired"
    assert redact.redact_text(text) == text


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    """No text makes redaction fail."""
    redact.redact_text(text)
    redact.redact_url(text)


def test_what_turns_out_to_be_no_secret_is_shown_again() -> None:
    """A path that came in place of a secret is not masked any more; others still are."""
    redact.remember("/home/me/credentials.json")
    redact.remember("another-secret")
    redact.forget("/home/me/credentials.json")
    redact.forget("never-remembered")
    text = "can't read /home/me/credentials.json with another-secret"
    assert redact.redact_known(text) == "can't read /home/me/credentials.json with ***"
