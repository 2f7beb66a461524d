"""Addresses of services, and what shapes documents."""

import pytest
from pydantic import ValidationError

from syncer.model.refs import Cursor
from syncer.net.pages import conditions
from syncer.ports import Selection
from syncer.sources.annotell import AnnotellOptions
from syncer.sources.kognic.cursor import Position, read_cursor
from syncer.sources.kognic.options import KognicOptions


def test_other_services_are_found_beside_the_input_api() -> None:
    """They are the vendor's hosts by default, follow another environment, and are one origin behind a gateway."""
    usual = KognicOptions()
    assert usual.url == "https://input.app.kognic.com"
    assert usual.own_urls() == (
        "https://auth.app.kognic.com", "https://project-management.app.kognic.com",
        "https://annotation-integration.app.kognic.com",
    )  # fmt: skip
    staging = KognicOptions(url="https://input.staging.example:8443/")
    assert staging.auth_address == "https://auth.staging.example:8443"
    gateway = KognicOptions(url="https://gateway.example", auth_url="https://login.example/")
    assert gateway.own_urls() == ("https://login.example", "https://gateway.example", "https://gateway.example")
    assert AnnotellOptions().auth_address == "https://user.annotell.com"


def test_a_token_is_never_meant_for_the_token_service_or_storage() -> None:
    """The network knows the token service as ours; what may see tokens are the API's services alone."""
    options = KognicOptions()
    assert options.network().own_urls == options.own_urls()
    assert "https://auth.app.kognic.com" not in options.api_urls()


@pytest.mark.parametrize("option", ["url", "auth_url", "requests_url", "integration_url"])
def test_addresses_are_checked(option: str) -> None:
    """A user in an address, or something else than http, is refused."""
    for wrong in ("ftp://h", "https://user:pw@h", "input.app.kognic.com"):
        with pytest.raises(ValidationError):
            KognicOptions(**{option: wrong})


def test_what_shapes_documents_or_fields_makes_cursors_apply_no_more() -> None:
    """A cursor of other options, of another window, of another format, or none at all, begins anew."""
    plain, turned = KognicOptions(), KognicOptions(iso_rotated_cuboids=True)
    assert len({plain.digest(), turned.digest(), KognicOptions(details=False).digest()}) == 3
    assert plain.digest() == KognicOptions(full_every="1h", read_ahead=2).digest()
    under = conditions(plain.digest(), Selection())
    position = Position(under=under, page="17", count=3)
    assert read_cursor(position.cursor(), under) == position
    assert read_cursor(position.cursor(), conditions(turned.digest(), Selection())) is None
    for other in (None, Cursor("{}"), Cursor("nonsense"), Cursor('{"v":2,"under":"x"}')):
        assert read_cursor(other, under) is None


def test_a_doubtful_or_torn_listing_is_followed_by_a_complete_one() -> None:
    """Only a listing that was read in one go by one process lets quick passes rely on it."""
    whole = Position(under="u", start="mark", began="2026-11-22T12:00:00Z")  # type: ignore[arg-type]  # any marker does
    assert whole.ended(torn=False).full_at is not None
    assert whole.ended(torn=True).full_at is None
    doubtful = Position(under="u", began="2026-11-22T12:00:00Z", doubtful=True)  # type: ignore[arg-type]  # same
    assert doubtful.ended(torn=False).full_at is None
    assert (whole.ended(torn=False).stage, whole.ended(torn=False).mark) == ("rest", "mark")
