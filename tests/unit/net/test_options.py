"""The options that every platform shares."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from syncer.model.secret import Secret
from syncer.net.options import PlatformOptions, SecretField


class Options(PlatformOptions):
    """A platform's own options."""

    token: SecretField


def test_values_reach_the_network_unchanged() -> None:
    """`network()` has all options as plain values."""
    options = Options.model_validate({
        "url": "https://h.example/base/", "token": "abcdefgh", "ca_file": "ca.pem", "content_hosts": ["a.example"],
        "proxy": "http://u:p@proxy:3128",
        "limits": {"requests_per_second": 12, "concurrency": 8, "bandwidth": 1_000_000},
    })  # fmt: skip
    network = options.network()
    assert network.url == "https://h.example/base"
    assert network.ca_file == Path("ca.pem")
    assert (network.requests_per_second, network.concurrency, network.bandwidth) == (12, 8, 1_000_000)
    assert network.content_hosts == ("a.example",)
    assert network.attempts == 5
    assert network.proxy is not None
    assert network.proxy.reveal() == "http://u:p@proxy:3128"


def test_rule_24_secrets_are_wrapped_and_never_shown() -> None:
    """A string becomes a Secret, a Secret stays one, and neither a dump nor a repr shows its value."""
    wrapped = Options.model_validate({"url": "https://h", "token": "abcdefgh"})
    kept = Secret.literal("xyz", "env:TOKEN")
    assert wrapped.token.reveal() == "abcdefgh"
    assert Options(url="https://h", token=kept).token is kept
    assert "abcdefgh" not in repr(wrapped)
    assert "abcdefgh" not in wrapped.model_dump_json()


def test_rule_24_a_bad_secret_is_not_shown_in_the_error() -> None:
    """A value of the wrong type is refused."""
    with pytest.raises(ValidationError):
        Options.model_validate({"url": "https://h", "token": 12})


def test_schema_describes_secrets_as_strings() -> None:
    """Editors see a string where a credential goes."""
    assert TypeAdapter(Options).json_schema()["properties"]["token"]["type"] == "string"


@pytest.mark.parametrize("bad", [
    {"url": "h.example"}, {"url": "ftp://h"}, {"url": "https://u:p@h"}, {"url": "https://h/?a=1"}, {"url": "https://"},
    {"url": "https://h", "unknown": 1}, {"url": "https://h", "limits": {"requests_per_second": 0}},
    {"url": "https://h", "limits": {"concurrency": 0}}, {"url": "https://h", "client_key": "k.pem"},
])  # fmt: skip
def test_wrong_options_are_refused(bad: dict[str, object]) -> None:
    """Typing errors and impossible values are found at load."""
    with pytest.raises(ValidationError):
        Options.model_validate({"token": "abcdefgh", **bad})
