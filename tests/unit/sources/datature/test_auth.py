"""The secret key: what one looks like, where it goes, and what is said when it is not accepted."""

import pytest

from syncer.model.errors import PermissionRefused, SettingsError
from syncer.model.secret import Secret
from syncer.ports import Selection
from syncer.sources.datature.auth import KeyAuth
from tests.emulators.datature import KEY, DataturePlatform
from tests.support.datature_source import datature_source


@pytest.mark.parametrize("key", ["dtvi_" + "k" * 97, "dtvi_" + "k" * 99, "dtvx_" + "k" * 98, ""])
async def test_a_key_of_another_form_is_refused_before_any_request(key: str) -> None:
    """Length and beginning are checked here, as the vendor's client does; the key itself is in no message."""
    async with DataturePlatform(key=key) as platform, datature_source(platform) as source:
        with pytest.raises(SettingsError) as caught:
            await source.projects()
        assert platform.log == []
        said = f"{caught.value} {caught.value.hint}"
        assert "103 characters" in said
        assert not key or key not in said


async def test_the_headers_are_those_of_the_vendor() -> None:
    """Every request carries the key and the organization; the key goes to the configured origin alone."""
    async with DataturePlatform() as platform, datature_source(platform) as source:
        await source.whoami()
        (asked,) = platform.log
        assert asked.headers["Authorization"] == f"Bearer {KEY}"
        assert asked.headers["Organization-Id"] == platform.org
    auth = KeyAuth(Secret.literal(KEY), "acme", "https://api.vi.datature.com")
    assert auth.origins == {"https://api.vi.datature.com"}


async def test_a_wrong_key_and_another_organization_are_told_apart() -> None:
    """An unknown key, and a key of another organization, are a matter of permission, each with its own hint."""
    async with DataturePlatform() as platform:
        wrong = "dtvi_" + "x" * 98
        for options, words in (({"token": wrong}, "make a new one"), ({"organization": "other"}, "organization other")):
            async with datature_source(platform, **options) as source:
                with pytest.raises(PermissionRefused) as caught:
                    _ = [found async for found in source.partitions(Selection())]
                assert words in (caught.value.hint or "")
                assert wrong not in str(caught.value)


async def test_a_renewed_reference_is_tried_once() -> None:
    """After a 401 a key file that has changed in the meantime is read again; one that has not is not tried twice."""
    values = [KEY]
    auth = KeyAuth(Secret(lambda: values[-1], "file:key"), "acme", "https://x.example")
    first = await auth.headers()
    assert not await auth.renew(first)
    values.append("dtvi_" + "n" * 98)
    assert await auth.renew(first)
    assert (await auth.headers())["Authorization"] == f"Bearer {values[-1]}"


async def test_a_key_is_read_once_for_all_requests() -> None:
    """Reading may ask a file or a keyring: nothing that each of thousands of requests should wait for."""
    read: list[str] = []

    def key() -> str:
        read.append("")
        return KEY

    auth = KeyAuth(Secret(key, "keyring:vi/key"), "acme", "https://x.example")
    assert await auth.headers() is await auth.headers()
    assert len(read) == 1
