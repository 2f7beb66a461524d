"""One pass after the other: cursors, owed items, limits, changed options, dry runs."""

import gc
from pathlib import Path

import pytest

from syncer.flow import fetch, write
from syncer.flow.frontier import Wanted
from syncer.flow.job import RunOptions
from syncer.model.checkpoint import CommitGroup
from syncer.model.entries import Removals
from syncer.model.errors import Exit, LegFailed, NotNow, Unavailable
from syncer.model.events import Committed, Event, Warned
from syncer.model.refs import AnnotationRef
from syncer.sinks.prefix.session import PrefixSession
from syncer.sources.memory import MemoryPlatform, MemorySource
from syncer.state.tables.ledger import TableLedger
from tests.support.engine import Engine

LAKE = {"lake": {"type": "prefix", "url": "file:lake"}}


class Upper:
    """A transform with a version."""

    version = "upper-1"

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return it in capitals; refuse what is empty."""
        if b"bad" in body:
            raise ValueError("it is bad")
        return body.upper()


async def test_items_go_when_they_are_done_with_and_not_with_their_page(tmp_path: Path) -> None:
    """Memory follows what is being worked on, however long a page is."""
    page, committed, late = 300, 0, 0
    archive = {"zip": {"type": "zip", "url": "file:zip"}}
    engine = Engine(tmp_path, MemorySource(MemoryPlatform(page), page_size=page), sinks=archive, fetchers=2)
    others = {id(each): each for each in gc.get_objects() if isinstance(each, Wanted)}  # of tests before this one

    def look(event: Event) -> None:
        nonlocal committed, late
        if isinstance(event, Committed):
            committed += event.items
            alive = sum(isinstance(each, Wanted) and id(each) not in others for each in gc.get_objects())
            late = max(late, alive - (page - committed))

    engine.emit = look
    await engine.run()
    assert committed == page
    assert late <= page // 3  # a group or two of what is on its way; a page that held them all would make it 300


async def test_keys_of_pages_without_anything_new_are_committed_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing in which nothing is new is faster than any interval: what it named does not gather until then."""
    items, most = 2_000, 100
    engine = Engine(tmp_path, MemorySource(MemoryPlatform(items), page_size=50), sinks=LAKE)
    await engine.run()
    # As much memory is in 2,000 keys here as in 200,000 elsewhere.
    monkeypatch.setattr(fetch, "KEY", 100 * fetch.KEY)
    monkeypatch.setattr(write, "KEYS", most)
    groups: list[int] = []
    commit = TableLedger.commit

    async def noted(ledger: TableLedger, group: CommitGroup) -> None:
        groups.append(sum(map(len, group.seen.values())))
        await commit(ledger, group)

    monkeypatch.setattr(TableLedger, "commit", noted)
    report = await engine.run(RunOptions(relist=True))
    assert (report.counts.unchanged, sum(groups)) == (items, items)
    assert max(groups) <= items // 4


@pytest.mark.parametrize("inline", [False, True])
async def test_rule_16_the_bytes_stored_are_the_bytes_served(tmp_path: Path, inline: bool) -> None:  # a table
    """`1.10`, a 20-digit integer, duplicate keys and odd white space stay to the letter."""
    body = b'{ "a":1.10, "big":12345678901234567890, "a":1e5,\n "u":"\\u00e9" }'
    platform = MemoryPlatform()
    platform.put("1", body)
    await Engine(tmp_path, MemorySource(platform, inline=inline)).run()
    assert (tmp_path / "lake" / "1.json").read_bytes() == body


async def test_rule_12_a_second_pass_lists_and_fetches_only_what_changed(tmp_path: Path) -> None:
    """The cursor of the first pass is where the second begins."""
    platform = MemoryPlatform(50)
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=LAKE).run()
    pages, opened = source.pages, sum(source.opened.values())
    platform.put("7")
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert source.pages - pages <= 2
    assert sum(source.opened.values()) - opened == 1
    assert (report.counts.stored, report.counts.updated) == (1, 1)


async def test_rule_12_a_cursor_never_passes_what_did_not_settle(tmp_path: Path) -> None:
    """A listing that dies half way goes on from there, and nothing on the way is missing."""
    platform = MemoryPlatform(50)
    source = MemorySource(platform)
    platform.fail_listing(4, Unavailable("down"))
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.NOT_NOW
    assert report.counts.stored == 30
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.DONE
    assert len((await Engine(tmp_path, source, sinks=LAKE).outcome("lake")).rows) == 50
    assert set(source.opened.values()) == {1}


async def test_rule_18_an_item_that_can_not_be_had_is_owed_and_comes_first_next_time(tmp_path: Path) -> None:
    """It is named with its reason, exit code 3, and replayed without being listed again."""
    platform = MemoryPlatform(30)
    platform.fail("4", "500 from storage")
    source = MemorySource(platform)
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.OWING
    assert (report.counts.stored, report.counts.owed, dict(report.owed)) == (29, 1, {"lake": 1})
    assert report.exit_code(allow_owed=1) is Exit.DONE
    platform.mend()
    source.opened.clear()
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.DONE
    assert (report.counts.replayed, report.counts.stored) == (1, 0)
    assert dict(source.opened) == {platform.key("4"): 1}


async def test_rule_18_an_older_version_stays_while_the_newer_one_is_owed(tmp_path: Path) -> None:
    """A correction that can't be fetched does not take away what is there; a row that can't be read is owed too."""
    platform = MemoryPlatform(3)
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=LAKE).run()
    before = (tmp_path / "lake" / "2.json").read_bytes()
    platform.put("2", b"newer")
    platform.fail("2")
    platform.put("3", b"newest")
    platform.spoil("3")
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert (report.exit_code(), report.counts.owed) == (Exit.OWING, 2)
    assert (tmp_path / "lake" / "2.json").read_bytes() == before
    platform.mend()
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.DONE
    assert (tmp_path / "lake" / "2.json").read_bytes() == b"newer"
    assert (tmp_path / "lake" / "3.json").read_bytes() == b"newest"


async def test_rule_18_a_platform_that_is_down_owes_nothing(tmp_path: Path) -> None:
    """When most items fail alike the run stops with 75 instead of owing thousands of them."""
    platform = MemoryPlatform(500)
    for number in range(1, 501):
        platform.fail(str(number), "503 from storage")
    source = MemorySource(platform)
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.NOT_NOW
    assert sum(report.owed.values()) < 100
    platform.mend()
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.DONE
    assert len((await Engine(tmp_path, source, sinks=LAKE).outcome("lake")).rows) == 500


async def test_rule_20_limits_stop_a_run_that_later_goes_on(tmp_path: Path) -> None:
    """`--max-items` ends with 5 and `complete: false`; runs after it finish the work, fetching nothing twice."""
    platform = MemoryPlatform(50)
    source = MemorySource(platform)
    report = await Engine(tmp_path, source, sinks=LAKE).run(RunOptions(max_items=12))
    assert (report.exit_code(), report.complete, report.counts.stored) == (Exit.STOPPED, False, 12)
    assert report.counts.difference == 0
    report = await Engine(tmp_path, source, sinks=LAKE).run(RunOptions(max_bytes=1000))
    assert report.exit_code() is Exit.STOPPED
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.DONE
    assert set(source.opened.values()) == {1}
    assert len(source.opened) == 50


async def test_rule_20_relist_fetches_what_differs_and_refetch_everything(tmp_path: Path) -> None:
    """`--relist` ignores cursors, `--refetch` also what is stored."""
    platform = MemoryPlatform(20)
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=LAKE).run()
    report = await Engine(tmp_path, source, sinks=LAKE).run(RunOptions(relist=True))
    assert (report.counts.listed, report.counts.unchanged, report.counts.stored) == (20, 20, 0)
    report = await Engine(tmp_path, source, sinks=LAKE).run(RunOptions(refetch=True))
    assert report.counts.stored == 20
    assert set(source.opened.values()) == {2}


async def test_rule_20_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """`plan` counts what a run would do, takes no lease, and leaves no trace."""
    platform = MemoryPlatform(20)
    source = MemorySource(platform)
    preview = await Engine(tmp_path, source, sinks=LAKE).plan()
    assert (preview.legs["lake"].new, preview.fetches, preview.listed) == (20, 20, 20)
    assert preview.bytes > 0
    assert not (tmp_path / "lake").exists()
    assert sum(source.opened.values()) == 0
    await Engine(tmp_path, source, sinks=LAKE).run()
    platform.put("3")
    platform.delete("4")
    preview = await Engine(tmp_path, source, sinks=LAKE).plan()
    assert (preview.legs["lake"].new, preview.legs["lake"].changed) == (0, 1)
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert (report.counts.updated, report.counts.deleted) == (1, 1)


async def test_rule_15_a_changed_transform_makes_its_items_changed(tmp_path: Path) -> None:
    """`plan` names the option and the count; the run stores the transformed bytes; a refusal is owed."""
    platform = MemoryPlatform(10)
    platform.put("11", b"bad")
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=LAKE).run()
    preview = await Engine(tmp_path, source, sinks=LAKE, transform=Upper()).plan(RunOptions(relist=True))
    assert preview.reasons["transform"] == 11
    report = await Engine(tmp_path, source, sinks=LAKE, transform=Upper()).run(RunOptions(relist=True))
    assert (report.counts.stored, report.counts.owed) == (10, 1)
    assert (tmp_path / "lake" / "1.json").read_bytes().startswith(b'{"ID":1')


async def test_rule_15_a_changed_template_is_refused_without_relayout(tmp_path: Path) -> None:
    """Another path template on the same destination is 78 with a way out; `--relayout` moves everything."""
    platform = MemoryPlatform(6)
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=LAKE).run()
    moved = {"lake": {**LAKE["lake"], "path": "{project}/{item}.json"}}
    report = await Engine(tmp_path, source, sinks=moved).run()
    assert report.exit_code() is Exit.SETTINGS
    assert "relayout" in (report.problems[0].hint or "")
    engine = Engine(tmp_path, source, sinks=moved)
    report = await engine.run(RunOptions(relayout=True))
    assert report.exit_code() is Exit.DONE
    assert {path for _, path, _, _ in (await engine.outcome("lake")).rows} == {f"7/{n}.json" for n in range(1, 7)}
    assert not list((tmp_path / "lake").glob("*.json"))


async def test_old_places_that_can_not_be_removed_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a destination keeps what items left, the move is done all the same: the manifest does not name it."""

    async def refuse(session: PrefixSession, rows: Removals) -> None:
        raise LegFailed("permission denied", leg="lake")

    source = MemorySource(MemoryPlatform(3))
    await Engine(tmp_path, source, sinks=LAKE).run()
    monkeypatch.setattr(PrefixSession, "remove", refuse)
    engine = Engine(tmp_path, source, sinks={"lake": {**LAKE["lake"], "path": "{project}/{item}.json"}})
    report = await engine.run(RunOptions(relayout=True))
    assert (report.exit_code(), report.counts.updated) == (Exit.DONE, 3)
    (said,) = [event.message for event in engine.events if isinstance(event, Warned)]
    assert said == "sink lake: old objects could not be removed: permission denied"


async def test_rule_21_the_reconcile_line_adds_up(tmp_path: Path) -> None:
    """Whatever happened to the rows, the one line says where each of them went."""
    platform = MemoryPlatform(40)
    platform.withdraw("9")
    platform.fail("3")
    platform.spoil("5")
    source = MemorySource(platform)
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    counts = report.counts
    assert counts.difference == 0
    assert (counts.listed, counts.stored, counts.owed, counts.filtered) == (40, 37, 2, 1)
    assert counts.reconcile().startswith("listed 40 = stored 37 + unchanged 0 + owed 2 + filtered 1 + frozen 0")


async def test_rule_21_the_account_adds_up_where_the_checkpoint_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that can't grow ends a run with its own exit code: what was written and not committed was not reached."""

    async def full(_ledger: TableLedger, _group: CommitGroup) -> None:
        raise NotNow("the state can't grow")

    source = MemorySource(MemoryPlatform(30))
    with monkeypatch.context() as patched:
        patched.setattr(TableLedger, "commit", full)
        report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert (report.exit_code(), report.counts.difference) == (Exit.NOT_NOW, 0)
    assert (await Engine(tmp_path, source, sinks=LAKE).run()).counts.stored == 30
