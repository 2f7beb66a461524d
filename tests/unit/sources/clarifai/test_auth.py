"""The key: how it is sent, to whom, and what happens when it is refused."""

import pytest

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.guard import origin_of
from syncer.sources.clarifai.auth import KeyAuth

URL = "https://api.clarifai.example/prefix"


async def test_rule_24_the_key_goes_to_the_api_alone() -> None:
    """One header, in the words that Clarifai wants, for one origin; a pasted prefix and a newline do no harm."""
    for given in ("pat-1234", " pat-1234\n", "Key pat-1234"):
        auth = KeyAuth(Secret.literal(given), URL)
        assert auth.origins == {origin_of(URL)}
        assert await auth.headers() == {"Authorization": "Key pat-1234"}


async def test_rule_24_a_refused_key_is_read_again_once() -> None:
    """A file that changed brings another key; one that did not is not tried twice."""
    keys = ["old", "new", "new"]
    auth = KeyAuth(Secret(lambda: keys.pop(0), "file:key"), URL)
    refused = dict(await auth.headers())
    assert await auth.renew(refused)
    assert await auth.headers() == {"Authorization": "Key new"}
    assert not await auth.renew(dict(await auth.headers()))


@pytest.mark.parametrize("key", ["", "  ", "two words", "schlüssel", "a\x00b"])
async def test_what_is_no_key_is_named(key: str) -> None:
    """Something that can't be a key is a matter of settings, and the message does not show it."""
    with pytest.raises(SettingsError) as caught:
        await KeyAuth(Secret(lambda: key, "env:CLARIFAI_PAT"), URL).headers()
    assert "env:CLARIFAI_PAT" in str(caught.value)
    assert not key.strip() or key not in str(caught.value)
