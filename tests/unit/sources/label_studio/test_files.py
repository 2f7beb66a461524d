"""Addresses in the data of tasks: which are files, and to whom the token is shown."""

import pytest
from msgspec import Raw

from syncer.sources.label_studio.files import Files, request_for, task_of
from syncer.sources.label_studio.rows import Task
from tests.support.web import Token

URL = "https://studio.example.com/base"
TASK = "2026-11-22T04:33:42Z"


def found(data: bytes, *keys: str) -> dict[str, str | None]:
    """Return places and addresses."""
    refs = Files(URL, frozenset(keys)).refs("7", Task(5, TASK, TASK, data=Raw(data)))
    assert len({ref.key for ref in refs}) == len(refs)
    return {ref.key.item: ref.hint for ref in refs}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("/data/upload/1/a.png", f"{URL}/data/upload/1/a.png"),
        ("/base/data/upload/1/a.png", f"{URL}/data/upload/1/a.png"),
        ("/data/local-files/?d=a/b.png", f"{URL}/data/local-files/?d=a/b.png"),
        (f"{URL}/data/upload/1/a%20b.png", f"{URL}/data/upload/1/a%20b.png"),
        ("https://studio.example.com:443/base/data/upload/1/a.png", f"{URL}/data/upload/1/a.png"),
        ("s3://bucket/a b.png", f"{URL}/tasks/5/resolve/"),
        ("gs://bucket/é.png", f"{URL}/tasks/5/resolve/"),
    ],
)
def test_what_the_server_serves_is_asked_with_the_token(address: str, url: str) -> None:
    """Uploads, local files and stored objects, however their addresses are written."""
    auth = Token(URL)
    request = request_for(address, "5", URL, auth)
    assert (request.url, request.auth, request.content) == (url, auth, False)


@pytest.mark.parametrize(
    "address",
    [
        "https://images.example.com/a.png?sig=1",
        "https://studio.example.com.evil.example/base/data/upload/1/a.png",
        "http://studio.example.com/base/data/upload/1/a.png",
        f"{URL}/api/token/",
        f"{URL}/api/token/?next=/data/upload/1/a.png",
        f"{URL}/data/upload/../../api/token/",
        f"{URL}/data/upload/%2E%2e/%2e./api/token/",
        f"{URL}/data/upload/..\\..\\api/token/",
    ],
)
def test_everything_else_is_asked_without_it(address: str) -> None:
    """Other hosts, other schemes, and every other page of the server itself."""
    request = request_for(address, "5", URL, Token(URL))
    assert (request.url, request.auth, request.content) == (address, None, True)


@pytest.mark.parametrize(
    "text",
    [
        "a.png", "", "//evil.example/a.png", "/api/token/", "/data/upload/../../api", "see https://example.com/",
        "https://user:word@example.com/a.png", "ftp://example.com/a.png", "file:///etc/passwd", "https://", "x" * 3000,
    ],
)  # fmt: skip
def test_other_texts_are_no_files(text: str) -> None:
    """Words, pages of the server, other schemes, links with a password, and whole documents."""
    assert found(b'{"image":"%b"}' % text.encode()) == {}


def test_every_place_has_a_name_of_its_own() -> None:
    """Keys, lists, and objects in lists; a dot in a key is told from one between two names."""
    link = b'"https://example.com/a.png"'
    data = b'{"a":[%b,{"b":%b,"n":1},[%b],null],"a.0":%b,"a~1":%b}' % ((link,) * 5)
    assert set(found(data)) == {"5.a.0", "5.a.1.b", "5.a~10", "5.a~01"}
    assert set(found(data, "a.0")) == {"5.a~10"}
    assert found(b"[1]") == found(b"null") == {}


@pytest.mark.parametrize(("item", "task"), [("5.image", "5"), ("5.a.0", "5"), ("5", ""), ("5.", ""), ("x.image", "")])
def test_a_file_knows_its_task(item: str, task: str) -> None:
    """The id stands before the first dot."""
    assert task_of(item) == task
