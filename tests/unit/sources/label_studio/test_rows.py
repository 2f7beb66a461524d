"""Rows: versions, names of files, fields."""

import pytest
from msgspec import Raw

from syncer.sources.label_studio.rows import Head, Task, User, details_of, fields_of, filename_of, moment_of, version_of


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"image":"/data/upload/1/2b718b49-img00000.png"}', "2b718b49-img00000.png"),
        (b'{"image":"https://images.example.com/a/b.jpg?sig=1&x=/y#f"}', "b.jpg"),
        (b'{"image":"s3://bucket/folder/key.png"}', "key.png"),
        (b'{"image":"/data/local-files/?d=dir/na%20me.png"}', "na me.png"),
        (b'{"text":"a sentence, and no path","n":1,"pdf":"doc.pdf"}', "doc.pdf"),
        (b'{"url":"https://example.com/caf%C3%A9.wav"}', "café.wav"),
        (b'{"win":"C:\\\\images\\\\one.png"}', "one.png"),
        (b'{"text":"word"}', None),
        (b'{"n":1.10,"list":["a/b.png"],"none":null}', None),
        (b'{"dir":"https://example.com/folder/"}', None),
        (b'{"bad":"http://[half/name.png?"}', None),
        (b'{"long":"/%s.png"}' % (b"x" * 3000), None),
        (b"[1,2]", None),
        (b"{}", None),
    ],
)
def test_the_filename_is_that_of_the_first_file_or_link(data: bytes, name: str | None) -> None:
    """Contents, numbers and lists are no names; queries and folders are not part of one."""
    assert filename_of(Raw(data)) == name


def test_versions_tell_reused_ids_apart() -> None:
    """The same id with the same last change, but created anew, is another document."""
    first = version_of("2026-11-22T04:33:43.561694Z", "2026-11-22T04:33:42.192706Z")
    assert first == "20261122T043343.561694Z~20261122T043342.192706Z"
    assert first != version_of("2026-11-22T04:33:43.561694Z", "2026-11-22T04:33:42.192707Z")


def test_another_zone_is_not_another_version() -> None:
    """A server that moves to local time does not change every document."""
    assert version_of("2026-11-22T05:00:00+01:00", "2026-11-22T04:00:00Z") == version_of(
        "2026-11-22T04:00:00Z", "2026-11-22T04:00:00Z"
    )
    assert moment_of("2026-11-22T05:00:00+01:00") == moment_of("2026-11-22T04:00:00")


def test_fields_are_what_every_listing_can_say() -> None:
    """Variables of paths are the same in lean and whole listings: only identity and data make them."""
    task = Task(1, "2026-11-22T04:33:42Z", "2026-11-22T04:33:43Z", inner_id=3, data=Raw(b'{"image":"a/b.png"}'))
    assert fields_of(task) == {"created": "2026-11-22", "inner_id": "3", "filename": "b.png"}


def test_details_name_authors_and_the_newest_action() -> None:
    """Authors come once each, as numbers; the last action is that of the newest annotation."""
    heads = [
        Head(1, "a", "2026-01-02", completed_by=User(5), last_action="submitted"),
        Head(2, "a", "2026-01-03", completed_by=3, last_action="accepted"),
        Head(3, "a", "2026-01-01", completed_by=None),
    ]
    assert details_of(heads, {"inner_id": "1"}) == {"inner_id": "1", "completed_by": "3,5", "last_action": "accepted"}
    assert details_of([], {}) == {}
