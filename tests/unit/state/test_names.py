"""Short keys, settled paths and their places."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from syncer.model.paths import suffixed
from syncer.model.refs import ItemKey, PartitionKey
from syncer.state.names import item_key, keeps, place_of, short

TEXT = st.text(max_size=12) | st.text("a0/%\0\U0010fffe", max_size=6)
KEYS = st.builds(ItemKey, TEXT, TEXT, st.none() | TEXT, st.none() | TEXT, TEXT)


@given(KEYS)
def test_a_short_key_leads_back(key: ItemKey) -> None:
    """Inside its partition, the short form says everything, whatever stands in kind and item."""
    assert item_key(key.partition, short(key)) == key


@given(KEYS, KEYS)
def test_two_keys_never_share_a_short_form(one: ItemKey, other: ItemKey) -> None:
    """Different kinds and items of one partition stay different."""
    assert (short(one) == short(other)) == ((one.kind, one.item) == (other.kind, other.item))


def test_a_place_is_one_file_on_some_file_system_rule_19() -> None:
    """Case and composition do not tell two places apart; the scope does."""
    composed, decomposed = "Träger/A.json", unicodedata.normalize("NFD", "träger/a.JSON")
    assert place_of("1", composed) == place_of("1", decomposed)
    assert place_of("1", "a") != place_of("2", "a")
    assert place_of("1", "a") != place_of("1", "b")
    assert -(2**63) <= place_of("1", "a") < 2**63


def test_a_wish_leads_to_itself_or_its_suffixes() -> None:
    """A settled path stays as long as the present wish could have led to it."""
    canonical = ItemKey("annotation", "7", None, None, "1").canonical()
    once = suffixed("a/b.json", canonical)
    assert keeps("a/b.json", "a/b.json", canonical)
    assert keeps(once, "a/b.json", canonical)
    assert keeps(suffixed(once, canonical), "a/b.json", canonical)
    assert not keeps(once, "a/c.json", canonical)
    assert not keeps(once, "a/b.json", ItemKey("annotation", "7", None, None, "2").canonical())


def test_partitions_give_back_whole_keys() -> None:
    """What the short form leaves out comes from the partition."""
    partition = PartitionKey("7", "b", "box")
    assert item_key(partition, "annotation/a/b") == ItemKey("annotation", "7", "b", "box", "a/b")
