"""What is made of a body on its way: documents are transformed and wrapped, files never are."""

from types import SimpleNamespace
from typing import Any

import pytest

from syncer.flow.frontier import Ticket, Wanted
from syncer.flow.transform import Shaper
from syncer.model.checkpoint import Action, Verdict
from syncer.model.entries import Body
from syncer.model.refs import CONTEXT, EXPORT, MEDIA, AnnotationRef, ItemKey, Partition, PartitionKey


class Upper:
    """A transform that can be seen."""

    version = "upper"

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Shout."""
        return body.upper()


@pytest.mark.parametrize(
    ("kind", "plain", "wrapped"),
    [
        ("annotation", b'{"A":1}', True),
        (CONTEXT, b'{"a":1}', True),
        (MEDIA, b'{"a":1}', False),
        (EXPORT, b'{"a":1}', False),
    ],
)
async def test_rule_17_files_are_left_alone(kind: str, plain: bytes, wrapped: bool) -> None:
    """Images and archives pass by transforms and envelopes; context passes by transforms only."""
    ref = AnnotationRef(ItemKey(kind, "7", None, None, "1"), "v")
    sinks: Any = {
        "plain": SimpleNamespace(shape={"document": "content"}),
        "wrapped": SimpleNamespace(shape={"document": "envelope"}),
    }
    verdicts = {leg: Verdict(Action.NEW, "1") for leg in sinks}
    wanted = Wanted(ref, verdicts, [Ticket(Partition(PartitionKey("7")))])
    entries = await Shaper(sinks, Upper()).entries(wanted, Body(ref, b'{"a":1}'))
    assert entries["plain"].body == plain
    assert (entries["wrapped"].body != plain) == wrapped
    assert plain in entries["wrapped"].body  # type: ignore[operator]  # small bodies are bytes
