"""The checkpoint of a unit as it stands beside the data."""

import json
from datetime import UTC, datetime

import pytest

from syncer.model.checkpoint import OwedItem
from syncer.model.refs import ItemKey, PartitionKey
from syncer.model.snapshot import checkpoint_document, cursors_of, owed_of

AT = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
ITEM = OwedItem(
    "lake",
    ItemKey("annotation", "7", None, "böx", "1"),
    "v1",
    "404",
    3,
    AT,
    AT,
    "https://x/?signature=1",
    AT,
    {"a": "b"},
)


def test_cursors_and_owed_items_come_back_from_json() -> None:
    """All but the hint, which may be a signed link and is never needed."""
    cursors = {PartitionKey("7", None, "böx"): '{"page":3}', PartitionKey("8", "b"): None}
    document = checkpoint_document(cursors, [ITEM, OwedItem("lake", ITEM.key, "v2", "x")], live=4, size=5, epoch=6)
    text = json.dumps(document)
    assert "signature" not in text
    back = json.loads(text)
    assert cursors_of(back) == cursors
    first, second = owed_of(back, "lake")
    assert (first.key, first.version, first.reason, first.attempts) == (ITEM.key, "v1", "404", 3)
    assert (first.first, first.next, first.ignored_until, first.fields, first.hint) == (AT, AT, AT, {"a": "b"}, None)
    assert (second.first, second.attempts) == (None, 1)
    assert {name: back[name] for name in ("live", "bytes", "epoch")} == {"live": 4, "bytes": 5, "epoch": 6}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"partitions": [1]},
        {"partitions": [{"key": "7", "cursor": None}]},
        {"partitions": [{"key": '["7",null,null]', "cursor": 3}]},
        {"partitions": [], "owed": [{"key": "[]"}]},
        {"partitions": [], "owed": [{"key": '["a","7",null,null,"1"]', "fields": []}]},
        {"partitions": [], "owed": [{"key": '["a","7",null,null,"1"]', "first": "yesterday"}]},
    ],
)
def test_what_is_no_checkpoint_is_refused(document: dict[str, object]) -> None:
    """It may come from anywhere: one kind of error for every malformed one."""
    with pytest.raises(ValueError, match=r"\w"):
        _ = cursors_of(document), owed_of(document, "lake")
