"""Which database a URL means, and what of it may be shown."""

import pytest

from syncer.model.errors import SettingsError
from syncer.state.postgres.dialect import native
from syncer.state.postgres.target import parse, shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:secret@h:5433/db", "postgresql://u@h:5433/db"),
        ("postgres://u:se%40cret@h/db?sslmode=require", "postgresql://u@h/db?sslmode=require"),
        ("postgresql://h1,h2/db?target_session_attrs=primary", "postgresql://h1,h2/db?target_session_attrs=primary"),
        ("postgresql:///db?host=/run/postgresql&password=secret", "postgresql:///db?host=/run/postgresql"),
        ("postgresql://u@[::1]:5432/db?schema=labels&lease=5", "postgresql://u@[::1]:5432/db?schema=labels&lease=5"),
    ],
)
def test_rule_24_a_url_is_shown_without_its_password(url: str, expected: str) -> None:
    """Wherever in it that stands; everything else helps to find the server."""
    target = parse(url)
    assert target.shown == shown(url) == expected
    assert "cret" not in target.shown + repr(target)


def test_rule_24_messages_of_the_client_library_lose_the_password() -> None:
    """In either spelling; a message becomes one line."""
    target = parse("postgresql://u:se%40cret@h/db")
    assert target.clean('FATAL: "se@cret" or\n se%40cret') == 'FATAL: "***" or ***'


def test_our_parameters_never_reach_the_client_library() -> None:
    """It would refuse them; those of the user go before our defaults."""
    target = parse("postgresql://h/db?schema=labels&lease=5&connect_timeout=3")
    assert (target.schema, target.lease_seconds) == ("labels", 5)
    assert "schema" not in target.url
    assert "lease" not in target.url
    assert target.url.count("connect_timeout") == 1
    assert "keepalives_idle=" in target.url
    assert "application_name=syncer" in target.url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:secret", "mysql://u:secret@h/db", "postgresql://u:secret@h/db?schema=A", "postgresql://[secret",
        "postgresql://u:secret@h/db?lease=soon", "postgresql://u:secret@h/db?lease=0.1", "postgresql://h/db?secret",
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_refused_without_being_repeated(url: str) -> None:
    """With what to write instead."""
    with pytest.raises(SettingsError) as caught:
        parse(url)
    assert caught.value.hint
    assert "secret" not in f"{caught.value} {caught.value.hint} {shown(url)}"


def test_statements_are_spelled_in_the_servers_way() -> None:
    """Numbers stay, plain marks are numbered, and lists are taken apart."""
    assert native("a = ?2 AND b = ?1") == "a = $2 AND b = $1"
    assert native("VALUES (?, ?)") == "VALUES ($1, $2)"
    assert native("IN (SELECT value FROM json_each(?))") == (
        "IN (SELECT value FROM json_array_elements_text(CAST($1 AS json)))"
    )
