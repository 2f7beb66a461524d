"""What differs between two generations is exactly the difference of what both hold, whatever merges lie in between."""

import random
from pathlib import Path

import pytest

from syncer.model.rows import encode_row
from syncer.ports import Head
from syncer.sinks import generations
from syncer.sinks import manifest as manifest_module
from syncer.sinks.reading.changes import changes
from tests.unit.sinks.test_generations import Story

#: Items of one generation: operation and version of each.
Held = dict[str, tuple[str, str]]


async def difference(story: Story, old: Head, new: Head) -> dict[str, tuple[str, str]]:
    """Return what is said to differ: operation and version by item, each item once."""
    found = [row async for batch in changes(story.manifest, old, new) for row in batch]
    said = {row.key.item: (row.op, row.version) for row in found}
    assert len(said) == len(found)
    return said


def applied(held: Held, found: Held) -> Held:
    """Return what a copy holds that follows changes."""
    after = {**held, **found}
    return {item: said for item, said in after.items() if said[0] != "delete"}


@pytest.mark.parametrize("history", [False, True])
async def test_fifty_generations_and_their_merges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: bool
) -> None:
    """From each of fifty generations to the last, and between many others, back and forth."""
    monkeypatch.setattr(manifest_module, "_MANY", 4)
    monkeypatch.setattr(generations, "_STEPS", 8)
    story = Story(tmp_path / "root", history=history)
    for number in range(60):
        await story.step()
        if number % 20 == 19:
            await story.manifest.merge()
            await story.look()
    last = max(story.said)
    assert last > 60  # merges are generations, too
    pairs = [(since, last) for since in sorted(story.said)]
    dice = random.Random(20261128)
    pairs += [(dice.choice(sorted(story.said)), dice.choice(sorted(story.said))) for _ in range(40)]
    for since, until in pairs:
        old, new = await story.manifest.at(since), await story.manifest.at(until)
        found = await difference(story, old, new)
        before, after = story.said[since][0], story.said[until][0]
        assert applied(before, found) == after, (since, until)
        assert all(before.get(item) != after.get(item) for item in found), (since, until)
        assert all((said[0] == "delete") == (item not in after) for item, said in found.items())


async def test_a_rewritten_manifest_changes_nothing(tmp_path: Path) -> None:
    """Rows that are told anew, as after a loss of the manifest, are no changes where they say the same."""
    story = Story(tmp_path / "root")
    for _ in range(8):
        await story.step()
    old = await story.manifest.head()
    assert old is not None
    rows = {row.key.item: row async for _, row in story.manifest.rows()}
    gone, *kept = [row for row in rows.values() if row.op != "delete"]
    ref = await story.manifest.put_segment("9", 2, 1, [encode_row(row) for row in kept])
    await story.manifest.move_head(segments=[ref], anew=True)
    new = await story.manifest.head()
    assert new is not None
    assert await difference(story, old, new) == {gone.key.item: ("delete", gone.version)}
    assert await difference(story, new, new) == {}
