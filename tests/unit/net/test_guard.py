"""Where a request may go."""

import ipaddress

import pytest

from syncer.model.errors import Unsafe
from syncer.net.guard import Guard, origin_of, parse_url
from syncer.net.network import Network

PUBLIC = Network(url="https://api.example.com")
LOCAL = Network(url="http://localhost:8080")


def allowed(network: Network, url: str, *, own: bool = False) -> bool:
    """Tell whether a URL passes."""
    try:
        Guard(network).check(parse_url(url), own=own)
    except Unsafe:
        return False
    return True


@pytest.mark.parametrize(("url", "origin"), [
    ("https://API.Example.com/x?y=1", "https://api.example.com"), ("https://api.example.com:443", "https://api.example.com"),
    ("http://h:8080/", "http://h:8080"), ("https://h.:444/a", "https://h:444"), ("http://[::1]:80/", "http://[::1]"),
])  # fmt: skip
def test_origins_have_one_form(url: str, origin: str) -> None:
    """Case, default ports, trailing dots and paths don't matter."""
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", [
    "ftp://h/x", "file:///etc/passwd", "s3://bucket/key", "/relative", "https://", "https://user:pw@h/", "https://u@h/",
    "https://h:99999/", "https://h\\@evil/", "ht tp://h", "https://h/\r\nX: y", "javascript:alert(1)", "https:///evil.com/x",
])  # fmt: skip
def test_rule_23_only_plain_http_urls_are_opened(url: str) -> None:
    """Other schemes, credentials in links and malformed links are refused."""
    with pytest.raises(Unsafe) as caught:
        parse_url(url)
    assert "pw" not in str(caught.value)


def test_signed_links_are_sent_byte_for_byte() -> None:
    """A link that is already encoded is not encoded again, since its signature covers every byte; spaces are."""
    link = "https://b.example/k%7Ea%2Fb?X-Sig=a%2Bb%3D&x=%7e~"
    assert str(parse_url(link)) == link
    assert str(parse_url("https://b.example/my file.png")) == "https://b.example/my%20file.png"


@pytest.mark.parametrize(("network", "url", "expected"), [
    (PUBLIC, "https://bucket.s3.amazonaws.com/k", True),
    (PUBLIC, "http://bucket.s3.amazonaws.com/k", False),
    (PUBLIC, "https://127.0.0.1/k", False),
    (PUBLIC, "https://localhost/k", False),
    (PUBLIC, "https://10.0.0.1/k", False),
    (PUBLIC, "https://169.254.169.254/latest/meta-data", False),
    (PUBLIC, "https://[::ffff:8.8.8.8]/k", False),
    (PUBLIC, "https://api.example.com/file", True),
    (LOCAL, "http://localhost:8080/data/x.png", True),
    (LOCAL, "http://127.0.0.1:9000/bucket/x.png", True),
    (LOCAL, "http://169.254.169.254/latest", False),
    (LOCAL, "http://10.0.0.1/x", False),
    (LOCAL, "https://10.0.0.1/x", False),
    (LOCAL, "https://bucket.s3.amazonaws.com/k", True),
    (Network(url="https://studio.corp", content_hosts=("10.0.0.7:9000",)), "https://10.0.0.7:9000/k", True),
    (Network(url="https://studio.corp", content_hosts=("10.0.0.7:9000",)), "https://10.0.0.7:9001/k", False),
    (Network(url="https://studio.corp", content_hosts=("10.0.0.7:9000",)), "http://10.0.0.7:9000/k", False),
    (Network(url="https://studio.corp", content_hosts=("http://10.0.0.7:9000",)), "http://10.0.0.7:9000/k", True),
    (Network(url="https://studio.corp", content_hosts=("169.254.169.254",)), "https://169.254.169.254/k", False),
    (Network(url="http://studio.corp", allow_http=True), "http://files.example/k", True),
])  # fmt: skip
def test_rule_23_content_links(network: Network, url: str, expected: bool) -> None:
    """Content is public https, the platform's own host, or listed; special addresses stay closed in any case."""
    assert allowed(network, url) is expected


@pytest.mark.parametrize(("network", "url", "expected"), [
    (Network(url="http://studio.corp"), "http://studio.corp/api", False),
    (Network(url="http://studio.corp", allow_http=True), "http://studio.corp/api", True),
    (LOCAL, "http://localhost:8080/api", True),
    (Network(url="http://[::1]:80"), "http://[::1]/api", True),
    (Network(url="https://10.1.2.3"), "https://10.1.2.3/api", True),
    (Network(url="https://169.254.169.254"), "https://169.254.169.254/", False),
])  # fmt: skip
def test_rule_23_the_platforms_own_url(network: Network, url: str, expected: bool) -> None:
    """The platform itself may be private; plain http needs loopback or allow_http."""
    assert allowed(network, url, own=True) is expected


def test_rule_23_names_are_settled_on_their_addresses() -> None:
    """A content name may resolve to public addresses only; the platform's own and listed ones also to private ones."""
    guard = Guard(Network(url="https://studio.corp", content_hosts=("minio.corp:9000", "*.files.corp")))
    private, metadata = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("169.254.169.254")
    public = ipaddress.ip_address("8.8.8.8")
    assert guard.allow_content("cdn.example", 443, public)
    assert not guard.allow_content("cdn.example", 443, private)
    assert guard.allow_content("studio.corp", 443, private)
    assert guard.allow_content("minio.corp", 9000, private)
    assert not guard.allow_content("minio.corp", 9001, private)
    assert guard.allow_content("a.files.corp", 443, private)
    assert not guard.allow_content("files.corp.evil.example", 443, private)
    assert guard.allow_own("studio.corp", 443, private)
    assert not guard.allow_own("studio.corp", 443, metadata)
    assert not guard.allow_content("minio.corp", 9000, metadata)


def test_rule_23_redirects() -> None:
    """No way from https to http; a POST keeps its origin and its body; a GET may move."""
    guard = Guard(PUBLIC)
    url = parse_url("https://api.example.com/a/b?x=1")
    assert guard.redirect("GET", 302, url, "../c") == ("GET", "https://api.example.com/c")
    assert guard.redirect("GET", 303, url, "https://cdn.example/k?s=1") == ("GET", "https://cdn.example/k?s=1")
    assert guard.redirect("POST", 307, url, "/c") == ("POST", "https://api.example.com/c")
    assert guard.redirect("POST", 303, url, "/c") == ("GET", "https://api.example.com/c")
    for method, status, location in [
        ("GET", 302, "http://api.example.com/c"),
        ("POST", 307, "https://evil.example/c"),
        ("POST", 302, "/c"),
        ("GET", 302, "file:///etc/passwd"),
        ("GET", 302, "https://user:pw@cdn.example/"),
    ]:
        with pytest.raises(Unsafe):
            guard.redirect(method, status, url, location)
