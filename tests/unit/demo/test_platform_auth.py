"""Credentials of the emulated platform live and die as those of the real one."""

from datetime import UTC, datetime, timedelta

import pytest

from syncer.demo.platform.answers import Refused
from syncer.demo.platform.auth import ACCESS_LIFETIME, Auth

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def access(auth: Auth, pat: str, now: datetime = NOW) -> dict[str, str]:
    """Exchange a token; return the header to send."""
    body = auth.refresh({"refresh": pat}, now).body.decode()
    return {"Authorization": "Bearer " + body.partition('":"')[2].rstrip('"}')}


def refused(auth: Auth, headers: dict[str, str], now: datetime = NOW) -> str:
    """Return the words of the refusal; nothing if the request may pass."""
    try:
        auth.check(headers, now)
    except Refused as refusal:
        return f"{refusal.answer.status} {refusal.answer.body.decode()}"
    return ""


def test_an_access_token_lives_as_long_as_it_says() -> None:
    """An access token is good for 300 s from its refresh, and for nothing afterwards."""
    auth = Auth()
    header = access(auth, auth.create_pat(NOW))
    assert refused(auth, header, NOW + timedelta(seconds=ACCESS_LIFETIME - 1)) == ""
    assert "not provided" in refused(auth, header, NOW + timedelta(seconds=ACCESS_LIFETIME))


def test_expiring_spares_later_tokens() -> None:
    """Expiring ends the access tokens given so far; the personal token gives new ones."""
    auth = Auth()
    pat = auth.create_pat(NOW)
    old = access(auth, pat)
    auth.expire_access()
    assert "not provided" in refused(auth, old)
    assert refused(auth, access(auth, pat)) == ""
    assert auth.refreshes == 2


def test_a_revoked_token_gives_no_more() -> None:
    """A revoked personal token is refused by name; a stranger and an access token are refused too."""
    auth = Auth()
    pat = auth.create_pat(NOW)
    bearer = access(auth, pat)["Authorization"].partition(" ")[2]
    auth.revoke(pat)
    for token, words in ((pat, "blacklisted"), ("stranger", "invalid"), (bearer, "wrong type")):
        with pytest.raises(Refused) as refusal:
            auth.refresh({"refresh": token}, NOW)
        assert words in refusal.value.answer.body.decode()


def test_the_legacy_token_can_be_rolled_and_switched_off() -> None:
    """A rolled token replaces the old one; switched off, even the right one is refused, in other words."""
    auth = Auth()
    old = {"Authorization": f"Token {auth.token}"}
    assert refused(auth, old) == ""
    new = {"Authorization": f"Token {auth.roll()}"}
    assert "Invalid token" in refused(auth, old)
    assert refused(auth, new) == ""
    auth.legacy = False
    assert "disabled" in refused(auth, new)
