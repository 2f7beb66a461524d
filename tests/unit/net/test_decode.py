"""Undoing content codings, piece by piece."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.errors import TooLarge
from syncer.net.classify import Label, Retryable
from syncer.net.decode import STEP, Inflater, coding_of, declared_size, inflate

LABEL = Label("GET", "https://h.example/x")


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=3), st.integers(1, 400), st.booleans())
def test_any_division_into_pieces_gives_the_same(parts: list[bytes], step: int, wrapped: bool) -> None:
    """Gzip members and deflate streams are undone however they are cut up on the way."""
    packed = b"".join(gzip.compress(part) for part in parts) if wrapped else zlib.compress(b"".join(parts))
    inflater = Inflater("gzip" if wrapped else "deflate", LABEL)
    out = b"".join(b"".join(inflater.feed(packed[at : at + step])) for at in range(0, len(packed), step))
    inflater.finish()
    assert out == b"".join(parts)


@given(st.binary(max_size=500))
def test_nonsense_is_refused_and_nothing_else_happens(data: bytes) -> None:
    """Any bytes either decode or are refused as damaged; no other error comes out."""
    for coding in ("gzip", "deflate"):
        try:
            inflate(data, coding, 10_000, LABEL)
        except (Retryable, TooLarge):
            continue


def test_rule_23_steps_are_bounded() -> None:
    """However well a piece is compressed, it comes out in steps that fit into memory."""
    packed = gzip.compress(b"\0" * 20_000_000)
    assert all(len(out) <= STEP for out in Inflater("gzip", LABEL).feed(packed))
    with pytest.raises(TooLarge):
        inflate(packed, "gzip", 19_999_999, LABEL)
    assert len(inflate(packed, "gzip", 20_000_000, LABEL)) == 20_000_000


def test_padding_behind_a_stream_is_left_out() -> None:
    """Some servers append zeros."""
    assert inflate(gzip.compress(b"data") + b"\0" * 100, "gzip", 1000, LABEL) == b"data"


def test_codings_and_lengths() -> None:
    """Headers are read leniently; a coding that was not asked for is refused."""
    assert coding_of({}) is None
    assert coding_of({"Content-Encoding": " Identity "}) is None
    assert coding_of({"Content-Encoding": "GZIP"}) == "gzip"
    assert declared_size({"Content-Length": "12"}) == 12
    assert declared_size({"Content-Length": "-1"}) is None
    with pytest.raises(Retryable, match="'br'"):
        Inflater("br", LABEL)
