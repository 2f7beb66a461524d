"""Credentials: the places where they are looked for, in order, and what is said of those that can't be used."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from syncer.model.errors import PermissionRefused, SettingsError
from syncer.model.secret import Secret
from syncer.net import redact
from syncer.sources.kognic.credentials import KEYRING, Credentials, Lookup
from syncer.sources.kognic.options import KognicOptions
from tests.support.clock import InstantClock

WHOLE: dict[str, Any] = {
    "clientId": "the-id", "clientSecret": "the-secret", "email": "a@b.c", "userId": 7, "issuer": "auth.app.kognic.com",
}  # fmt: skip


def text(**changes: object) -> str:
    """Return the JSON of credentials; None leaves a key out."""
    return json.dumps({key: value for key, value in {**WHOLE, **changes}.items() if value is not None})


def read(**options: Any) -> Credentials:
    """Look credentials up; a string as `credentials` is the text that the reference gives."""
    given = {key: Secret.literal(value) if isinstance(value, str) and key != "client_id" else value
             for key, value in options.items()}  # fmt: skip
    return Lookup(KognicOptions(**given), InstantClock()).read()


def test_a_document_as_text() -> None:
    """The five keys are enough; scopes are asked for where they stand there."""
    found = read(credentials=text())
    assert (found.client_id, found.secret, found.email, found.scopes) == ("the-id", "the-secret", "a@b.c", ())
    assert read(credentials=text(scopes=["api:read"])).scopes == ("api:read",)
    assert "the-secret" not in repr(found)


def test_a_path_in_place_of_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's variable names a file; `~` is the home folder; messages show the path though it came as a secret."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.json").write_text(text())
    assert read(credentials="~/mine.json").client_id == "the-id"
    lost = str(tmp_path / "lost.json")
    redact.remember(lost)
    with pytest.raises(SettingsError, match=r"lost\.json") as caught:
        read(credentials=lost)
    assert redact.redact_known(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize("key", WHOLE)
def test_a_missing_key_is_named(key: str) -> None:
    """Each of the five keys is needed, as the vendor's client needs it."""
    with pytest.raises(SettingsError, match=f"lacks {key}$"):
        read(credentials=text(**{key: None}))


@pytest.mark.parametrize("document", ["{", "{}x", '{"clientId": NaN', "{" * 100_000])
def test_what_is_no_json_is_refused(document: str) -> None:
    """Broken text is a matter of settings, and its content is not shown."""
    with pytest.raises(SettingsError, match="is not the JSON of API credentials"):
        read(credentials=document)


@pytest.mark.parametrize(
    "expires", ["2026-11-22T11:59:59Z", "2026-11-22T11:59:59.123456789Z", "2026-11-22T12:00:00", "2020-01-01"]
)
def test_expired_ones_are_refused_before_any_request(expires: str) -> None:
    """A time in the past means new credentials; nanoseconds and missing zones are understood."""
    with pytest.raises(PermissionRefused, match="expired on 20"):
        read(credentials=text(expires=expires))


def test_those_that_still_live_are_taken() -> None:
    """A time to come is fine; what is no time is not."""
    assert read(credentials=text(expires="2026-11-22T12:00:01Z")).client_id == "the-id"
    with pytest.raises(SettingsError, match="`expires` is not a time"):
        read(credentials=text(expires="soon"))


def test_the_order_is_the_vendors() -> None:
    """A document goes before a pair; a pair that was given here goes before a document of the environment."""
    around = Secret(text, "env:KOGNIC_CREDENTIALS")
    pair = {"client_id": "other-id", "client_secret": Secret.literal("other", "env:KOGNIC_CLIENT_SECRET")}
    assert read(credentials=around, **pair).client_id == "the-id"
    named = {"client_id": "other-id", "client_secret": Secret.literal("other", "file:secret")}
    assert read(credentials=around, **named).client_id == "other-id"
    assert read(credentials=text(), **named).client_id == "the-id"
    assert read(**pair).secret == "other"
    with pytest.raises(SettingsError, match="without a client id"):
        read(client_secret=Secret.literal("alone"))


def test_a_keyring_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the vendor's tools put there is found; without any keyring the message names all the other ways."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match="KOGNIC_CREDENTIALS") as caught:
        read()
    assert "KOGNIC_CLIENT_ID" in str(caught.value.hint)
    ring: Any = types.ModuleType("keyring")
    ring.get_password = lambda service, user: text() if (service, user) == (KEYRING, "default") else None
    errors: Any = types.ModuleType("keyring.errors")
    errors.KeyringError = RuntimeError
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert read().client_id == "the-id"


def test_accounts_that_differ_share_nothing() -> None:
    """Only the same id, secret and scopes have the same mark."""
    one = Credentials("a", "b")
    assert one.mark == Credentials("a", "b", email="x", source="y").mark
    assert (
        len(
            {
                one.mark,
                Credentials("a", "c").mark,
                Credentials("ab", "").mark,
                Credentials("a", "b", scopes=("s",)).mark,
            }
        )
        == 4
    )


@pytest.mark.parametrize("value", [{}, [], {"a": 1}, 1.5])
def test_a_key_with_something_else_in_it_counts_as_missing(value: object) -> None:
    """A credentials file whose keys hold lists or objects is refused with the key's name."""
    with pytest.raises(SettingsError, match="lacks clientId"):
        read(credentials=text(clientId=value))
