"""Bodies into archives and back."""

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.sinks.zip64 import deflate
from syncer.sinks.zip64.deflate import DEFLATED, STORED, DamagedError, Packed, pack, pack_file, unpack

TEXT = b'{"label": "car", "box": [1, 2, 3, 4]}' * 400
NOISE = random.Random(1).randbytes(20_000)


def content(packed: Packed) -> bytes:
    """Return a payload, from memory or from its file."""
    if isinstance(packed.payload, bytes):
        return packed.payload
    with packed.payload as file:
        return file.read()


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes as a reader of a file does."""
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize(("body", "method"), [(TEXT, DEFLATED), (NOISE, STORED), (b"", STORED), (b"x", STORED)])
def test_a_body_is_deflated_only_where_that_makes_it_shorter(body: bytes, method: int) -> None:
    """A payload is never longer than its document."""
    packed = pack(body)
    assert (packed.method, packed.size, packed.crc) == (method, len(body), zlib.crc32(body))
    assert packed.length == len(content(packed)) <= len(body)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "video/mp4", "application/zip"])
def test_what_is_compressed_already_is_stored(media_type: str, tmp_path: Path) -> None:
    """No time is spent on deflating pictures and films."""
    (tmp_path / "body").write_bytes(TEXT)
    for packed in (pack(TEXT, media_type), pack_file(tmp_path / "body", len(TEXT), tmp_path, media_type)):
        assert packed.method == STORED
        assert content(packed) == TEXT


@pytest.mark.parametrize("body", [TEXT, NOISE, b""])
def test_a_large_body_is_packed_from_its_file(body: bytes, tmp_path: Path) -> None:
    """A spooled body gives the same document and checksum as one in memory, and leaves no file behind."""
    (tmp_path / "body").write_bytes(body)
    packed = pack_file(tmp_path / "body", len(body), tmp_path)
    memory = pack(body)
    assert (packed.method, packed.crc, packed.size) == (memory.method, memory.crc, memory.size)
    assert b"".join(unpack(chunks(content(packed), 100), packed.method, packed.size, packed.crc)) == body
    assert [path.name for path in tmp_path.iterdir()] == ["body"]


def test_a_spooled_body_of_another_length_is_refused(tmp_path: Path) -> None:
    """A spool file that was cut short never becomes an entry."""
    (tmp_path / "body").write_bytes(TEXT)
    with pytest.raises(OSError, match="holds 14800 bytes instead of 14801"):
        pack_file(tmp_path / "body", len(TEXT) + 1, tmp_path)


@pytest.mark.parametrize("engine", ["isal", "zlib"])
def test_both_engines_write_streams_that_the_other_reads(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the isal wheel everything works the same, more slowly."""
    if engine == "zlib":
        monkeypatch.setattr(deflate, "_engine", zlib)
        monkeypatch.setattr(deflate, "LEVEL", 6)
    packed = pack(TEXT)
    assert packed.method == DEFLATED
    assert zlib.decompress(content(packed), -15) == TEXT


@given(body=st.binary(max_size=3000), cut=st.integers(1, 400))
def test_any_body_comes_back(body: bytes, cut: int) -> None:
    """What was packed is what is unpacked, however the payload is cut into chunks."""
    packed = pack(body)
    assert b"".join(unpack(chunks(content(packed), cut), packed.method, len(body), packed.crc)) == body


@given(data=st.data())
def test_a_changed_payload_is_found_out(data: st.DataObject) -> None:
    """A flipped bit, a lost tail or a wrong size is damage, unless the document is the same all the same."""
    packed = pack(TEXT)
    payload = bytearray(content(packed))
    kind = data.draw(st.sampled_from(["flip", "cut", "size"]))
    size = len(TEXT)
    if kind == "flip":
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del payload[data.draw(st.integers(0, len(payload) - 1)) :]
    else:
        size += data.draw(st.sampled_from([-1, 1, 1000]))
    try:
        document = b"".join(unpack(iter([bytes(payload)]), packed.method, size, packed.crc))
    except DamagedError:
        return
    assert (kind, document) == ("flip", TEXT)


def test_a_bomb_gives_no_more_than_it_claims() -> None:
    """A stream that goes on after the claimed size is stopped there."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = bomb.compress(bytes(50_000_000)) + bomb.flush()
    given_out: list[bytes] = []
    with pytest.raises(DamagedError, match="more than 1000 bytes instead of 1000"):
        given_out.extend(unpack(chunks(stream, 500), DEFLATED, 1000, 0))
    assert sum(map(len, given_out)) <= 1000
