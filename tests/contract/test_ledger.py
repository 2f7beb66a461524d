"""What every ledger promises. A new kind of state is one more name in `tests.support.states.STATES`."""

from pathlib import Path

import pytest

from syncer.model.checkpoint import Action, Change, LegSpec
from syncer.model.errors import Fenced, LeaseHeld
from syncer.model.paths import suffixed
from syncer.model.refs import CONTEXT, GroupKey, ItemKey
from syncer.ports import StateStore
from tests.support.states import (
    LAKE,
    SEVEN,
    STATES,
    ZIP,
    State,
    at,
    candidate,
    container,
    cursor,
    debts,
    doomed,
    group,
    later,
    one,
    outbox,
    owed,
    published,
    put,
    row,
    told,
)
from tests.support.stored import key, partition, sha256, unit


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    """Return an empty state."""
    return State(request.param, tmp_path)


# ------------------------------------------------------------------------------------------- classify


async def test_an_unknown_item_is_new_and_gets_its_wish(state: State) -> None:
    """Nothing stored, nothing in the way: the wished path is the path."""
    async with state.ledger() as ledger:
        verdict = await one(ledger, candidate("1", path="a/1.json"))
    assert (verdict.action, verdict.path, verdict.stored, verdict.reason) == (Action.NEW, "a/1.json", None, "")


async def test_a_stored_item_is_the_same_until_its_version_differs(state: State) -> None:
    """Equal versions mean nothing to fetch; the verdict brings the stored row either way."""
    async with state.ledger() as ledger:
        stored = row("1", fields={"external_id": "é"}, group="task 1")
        await ledger.commit(group(changes={"lake": put(stored)}))
        same = await one(ledger, candidate("1"))
        newer = await one(ledger, candidate("1", "2"))
    assert (same.action, same.stored, same.path) == (Action.SAME, stored, "1.json")
    assert (newer.action, newer.reason, newer.stored) == (Action.CHANGED, "version", stored)


async def test_a_changed_option_makes_items_changed_and_is_named_rule_15(state: State) -> None:
    """A leg whose options changed finds its old rows changed, with the option as the reason."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            await ledger.commit(group(changes={"lake": put("1")}))
        other = LegSpec("lake", "f2", {"path": "{item}.json", "transform": "2"}, root=LAKE.root)
        async with store.unit("job", unit(), [other]) as ledger:
            verdict = await one(ledger, candidate("1"))
            both = await one(ledger, candidate("1", "2"))
    assert (verdict.action, verdict.reason, both.reason) == (Action.CHANGED, "transform", "version")


async def test_a_withdrawn_item_that_is_listed_again_is_changed(state: State) -> None:
    """Finished again: it is fetched again, also at the version that is stored."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1")}))
        await ledger.commit(group(changes={"lake": [Change("withdraw", row("1"), "rejected")]}))
        verdict = await one(ledger, candidate("1"))
        assert (verdict.action, verdict.reason) == (Action.CHANGED, "finished again")
        assert verdict.stored is not None
        assert verdict.stored.withdrawn == "rejected"
        await ledger.commit(group(changes={"lake": put("1")}))
        assert (await one(ledger, candidate("1"))).action is Action.SAME


async def test_each_leg_answers_for_itself_rule_3(state: State) -> None:
    """What one leg stores says nothing about the other."""
    async with state.ledger(LAKE, ZIP) as ledger:
        await ledger.commit(group(LAKE, changes={"lake": put("1")}))
        (answer,) = await ledger.classify([candidate("1", "1", "", LAKE, ZIP)])
    assert {leg: verdict.action for leg, verdict in answer.items()} == {"lake": Action.SAME, "nightly": Action.NEW}


async def test_answers_come_in_the_order_of_the_page(state: State) -> None:
    """Also for keys of several partitions and kinds on one page."""
    keys = [
        key("1"),
        key("1", batch="b"),
        ItemKey(CONTEXT, "7", None, None, "1"),
        ItemKey("a/b%", "7", None, None, "1"),
    ]
    async with state.ledger(of=unit("7", partition(), partition(batch="b"))) as ledger:
        await ledger.commit(group(changes={"lake": put(*(row(each, str(n), f"{n}") for n, each in enumerate(keys)))}))
        answers = await ledger.classify([candidate(each, str(n)) for n, each in enumerate(reversed(keys))])
        held = [answer["lake"].stored for answer in answers]
    assert [stored.key for stored in held if stored] == keys[::-1]


async def test_an_ignored_item_is_left_alone_until_its_time_rule_18(state: State) -> None:
    """Postponed is postponed, for any version; afterwards it is listed like any other. What is stored counts first."""
    async with state.open() as store, store.unit("job", unit(), [LAKE]) as ledger:
        await ledger.commit(group(owed=[owed("1"), owed("2", "2")], changes={"lake": put("2")}))
        await ledger.commit(group(owed=[owed("2", "2")]))
        assert await store.postpone("job", [key("1"), key("2"), key("3")], later(60)) == 2
        assert (await one(ledger, candidate("1"))).action is Action.IGNORED
        assert (await one(ledger, candidate("2", "2"))).action is Action.IGNORED
        assert (await one(ledger, candidate("2", "1"))).action is Action.SAME
        state.time.at = later(61)
        assert (await one(ledger, candidate("1"))).action is Action.NEW
        assert (await one(ledger, candidate("2", "2"))).action is Action.CHANGED
        state.time.at = later(0)
        assert await store.postpone("job", [key("1")], None) == 1
        assert (await one(ledger, candidate("1"))).action is Action.NEW


# ---------------------------------------------------------------------------------------------- paths


async def test_the_later_of_two_equal_wishes_gets_a_suffix_rule_19(state: State) -> None:
    """In emission order, over pages of a session, whether written or not."""
    async with state.ledger() as ledger:
        page = await ledger.classify([candidate("1", path="Car.json"), candidate("2", path="car.json")])
        third = await one(ledger, candidate("3", path="CAR.json"))
        again = await one(ledger, candidate("2", path="car.json"))
    paths = [answer["lake"].path for answer in page]
    assert paths == ["Car.json", suffixed("car.json", key("2").canonical())]
    assert third.path == suffixed("CAR.json", key("3").canonical())
    assert again.path == paths[1]


async def test_a_stored_path_is_held_and_stays_rule_19(state: State) -> None:
    """A path that is stored is nobody else's, in this session and the next; a suffix once given stays."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            first, second = await ledger.classify([candidate("1", path="a"), candidate("2", path="a")])
            await ledger.commit(
                group(changes={"lake": put(row("1", path=first["lake"].path), row("2", path=second["lake"].path))})
            )
            await ledger.commit(group(changes={"lake": [Change("delete", row("1", path="a"))]}))
        async with store.unit("job", unit(), [LAKE]) as ledger:
            kept = await one(ledger, candidate("2", "2", "a"))
            free = await one(ledger, candidate("3", path="A"))
            taken = await one(ledger, candidate("4", path=second["lake"].path))
    assert kept.path == second["lake"].path
    assert free.path == "A"
    assert taken.path == suffixed(second["lake"].path, key("4").canonical())


async def test_a_changed_wish_moves_a_changed_item(state: State) -> None:
    """The stored path stays only while the wish does; an unchanged item never moves."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put(row("1", path="old"))}))
        assert (await one(ledger, candidate("1", "1", "new"))).path == "old"
        assert (await one(ledger, candidate("1", "2", "new"))).path == "new"


async def test_an_owed_item_keeps_its_path_rule_19(state: State) -> None:
    """The path settled for an item that failed is held until it is stored, also by later runs."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            await ledger.classify([candidate("1", path="a"), candidate("2", path="a")])
            await ledger.commit(group(owed=[owed("1")]))
        async with store.unit("job", unit(), [LAKE]) as ledger:
            second = await one(ledger, candidate("2", path="a"))
            first = await one(ledger, candidate("1", path="a"))
    assert second.path == suffixed("a", key("2").canonical())
    assert first.path == "a"


async def test_a_path_that_was_never_stored_is_free_for_the_next_session(state: State) -> None:
    """Settled and not written: the next session settles anew, in its own order."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            await one(ledger, candidate("1", path="a"))
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert (await one(ledger, candidate("2", path="a"))).path == "a"


async def test_units_of_one_root_share_its_paths_and_archives_do_not(state: State) -> None:
    """Objects of two units lie side by side below one root; entries of two archives never meet."""
    other = unit("8", partition("8"))
    async with (
        state.open() as store,
        store.unit("job", unit(), [LAKE, ZIP]) as ledger,
        store.unit("job", other, [LAKE, ZIP]) as beside,
    ):
        await ledger.classify([candidate("1", "1", "a", LAKE, ZIP)])
        (answer,) = await beside.classify([candidate(key("1", "8"), "1", "a", LAKE, ZIP)])
    assert answer["lake"].path == suffixed("a", key("1", "8").canonical())
    assert answer["nightly"].path == "a"


async def test_context_documents_take_part_like_items(state: State) -> None:
    """Rows of kind `context` are stored, compared and settled as all others, and are not counted as labels."""
    config = ItemKey(CONTEXT, "7", None, None, "label_config")
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put(row(config, path="_context/label_config.xml"), "1")}))
        assert (await one(ledger, candidate(config))).action is Action.SAME
        assert (await ledger.partition(SEVEN)).live == {"lake": 1}
        assert (await ledger.legs())["lake"].live == 2


# --------------------------------------------------------------------------------------------- commit


async def test_an_immediate_leg_publishes_with_its_commit_rule_1(state: State) -> None:
    """Rows, manifest rows and the cursor move together; nothing is pending."""
    async with state.ledger() as ledger:
        changes = put(row("2", fields={"a": "b"}, group="g"), row("1"))
        await ledger.commit(group(changes={"lake": changes}, cursors=at("c1"), resume={"lake": b"token"}))
        leg = (await ledger.legs())["lake"]
        lines = await ledger.outbox("lake", 10)
        first = (await outbox(ledger, "lake"))[0]
        assert (leg.live, leg.bytes, leg.pending, leg.resume) == (2, 20, 0, b"token")
        assert [line.epoch for line in lines] == [ledger.epoch] * 2
        assert lines[0].seq < lines[1].seq
        assert await told(ledger) == [("put", "2", "1"), ("put", "1", "1")]
        assert (first.run, first.at, first.fields, first.group) == (
            "run-1",
            "2026-03-01T12:00:00.000Z",
            {"a": "b"},
            "g",
        )
        assert (first.fingerprint, first.sha256, first.size) == ("f1", sha256(b"2 1"), 10)
        assert await cursor(ledger) == "c1"
        assert (await ledger.checkpoint("lake"))["partitions"] == [{"key": SEVEN.canonical(), "cursor": "c1"}]


async def test_the_last_change_of_a_key_counts_and_all_are_told(state: State) -> None:
    """A key twice in one group: one row, two manifest rows in the order of writing."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put(row("1"), row("1", "2", size=30))}))
        leg = (await ledger.legs())["lake"]
        assert (leg.live, leg.bytes) == (1, 30)
        assert await told(ledger) == [("put", "1", "1"), ("put", "1", "2")]


async def test_delete_withdraw_and_keep_are_three_things_rule_14(state: State) -> None:
    """A delete forgets, a withdrawal keeps with a reason, and what is kept in spite of all is told to nobody."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1", "2", "3")}, doomed=[]))
        await ledger.commit(
            group(doomed=[(key("1"), "gone", "x"), (key("2"), "withdrawn", "y"), (key("3"), "gone", "z")])
        )
        assert await ledger.doomed_count("lake") == (2, 1)
        changes = [Change("delete", row("1"), "x"), Change("withdraw", row("2"), "y"), Change("keep", row("3"), "z")]
        await ledger.commit(group(changes={"lake": changes}))
        assert await ledger.doomed_count("lake") == (0, 0)
        assert (await told(ledger))[3:] == [("delete", "1", "1"), ("withdraw", "2", "1")]
        leg = (await ledger.legs())["lake"]
        assert (leg.live, leg.bytes) == (0, 0)
        assert await ledger.has([key("1"), key("2"), key("3")]) == frozenset()
        stored = [(await one(ledger, candidate(item))).stored for item in "123"]
        assert [each and each.withdrawn for each in stored] == [None, "y", "z"]
        assert stored[0] is None


async def test_a_failed_leg_is_left_where_it_was_rule_3(state: State) -> None:
    """Cursors move for the legs that take part, and the weakest is the one committed first."""
    async with state.ledger(LAKE, ZIP) as ledger:
        await ledger.commit(group(LAKE, ZIP, began={SEVEN: True}, cursors=at("c1")))
        await ledger.commit(group(LAKE, cursors=at("c2"), changes={"lake": put("1")}))
        both = await ledger.partition(SEVEN)
        alone = await ledger.partition(SEVEN, frozenset({"lake"}))
    assert both.cursors == {"lake": "c2", "nightly": "c1"}
    assert (both.weakest, both.live) == ("c1", {"lake": 1, "nightly": 0})
    assert (alone.weakest, alone.cursors) == ("c2", {"lake": "c2"})


async def test_a_leg_without_a_cursor_is_the_weakest_rule_3(state: State) -> None:
    """A leg that joined later has everything before it."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            await ledger.commit(group(cursors=at("c1")))
        async with store.unit("job", unit(), [LAKE, ZIP]) as ledger:
            found = await ledger.partition(SEVEN)
    assert (found.weakest, found.cursors) == (None, {"lake": "c1", "nightly": None})


async def test_everything_survives_closing(state: State) -> None:
    """A new session of the same store finds what the last one committed, under a later epoch."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            epoch = ledger.epoch
            await ledger.commit(group(changes={"lake": put("1")}, cursors=at("c1"), owed=[owed("2")]))
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert ledger.epoch == epoch + 1
            assert await cursor(ledger) == "c1"
            assert (await one(ledger, candidate("1"))).action is Action.SAME
            assert await debts(ledger) == [("2", "1", 1)]


# ----------------------------------------------------------------------------------------------- owed


async def test_an_owed_item_counts_its_attempts_per_version_rule_18(state: State) -> None:
    """The same version failing again counts on from its first failure; a newer version replaces it."""
    async with state.ledger() as ledger:
        await ledger.commit(group(owed=[owed("1", next=later(1), fields={"a": "b"}, hint="page 3")]))
        await ledger.commit(group(at=later(5), owed=[owed("1", reason="502", next=later(7))]))
        (item,) = await ledger.owed("lake", 10)
        assert (item.attempts, item.first, item.next, item.reason) == (2, later(0), later(7), "502")
        await ledger.commit(group(at=later(9), owed=[owed("1", "2", fields={"a": "c"}, hint="page 4")]))
        (item,) = await ledger.owed("lake", 10)
        assert (item.version, item.attempts, item.first) == ("2", 1, later(9))
        assert (item.fields, item.hint) == ({"a": "c"}, "page 4")


async def test_storing_an_owed_item_clears_it_and_so_does_clearing(state: State) -> None:
    """Of each leg for itself."""
    async with state.ledger(LAKE, ZIP) as ledger:
        debt = [owed(item, leg=leg) for item in "123" for leg in (LAKE, ZIP)]
        await ledger.commit(group(LAKE, ZIP, owed=debt))
        await ledger.commit(group(LAKE, ZIP, changes={"lake": put("1")}, cleared={"lake": [key("2")]}))
        assert await debts(ledger) == [("3", "1", 1)]
        assert [item for item, *_ in await debts(ledger, ZIP)] == ["1", "2", "3"]


async def test_an_older_version_stays_current_while_a_newer_one_is_owed_rule_18(state: State) -> None:
    """Owed and stored at once: it is one live item, not two."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1")}))
        await ledger.commit(group(owed=[owed("1", "2"), owed("2")]))
        found = await ledger.partition(SEVEN)
        assert (found.live, found.owed) == ({"lake": 1}, 1)
        assert await ledger.has([key("1"), key("2"), key("3")]) == {key("1"), key("2")}
        assert (await one(ledger, candidate("1", "2"))).action is Action.CHANGED


async def test_owed_items_are_read_in_pages(state: State) -> None:
    """In one order, each once, over partitions."""
    parts = [partition("7"), partition("7", "b"), partition("8")]
    keys = [key(str(n), part.key.project, part.key.batch) for part in parts for n in range(4)]
    async with state.ledger(of=unit("all", *parts)) as ledger:
        await ledger.commit(group(owed=[owed(each) for each in reversed(keys)]))
        read, after = list[ItemKey](), None
        while page := await ledger.owed("lake", 5, after):
            read += [item.key for item in page]
            after = read[-1]
        assert sorted(read, key=ItemKey.canonical) == sorted(keys, key=ItemKey.canonical)
        assert [item.key for item in await ledger.owed("lake", 100)] == read


async def test_a_signed_link_is_not_kept(state: State) -> None:
    """A hint that may be a credential never reaches the state; one that can't be is kept."""
    links = ["https://host/x?X-Amz-Signature=1", "https://host/x", "offset=3"]
    async with state.ledger() as ledger:
        await ledger.commit(group(owed=[owed(str(n), hint=link) for n, link in enumerate(links)]))
        assert [item.hint for item in await ledger.owed("lake", 10)] == [None, *links[1:]]


# --------------------------------------------------------------------------------------------- doomed


async def test_only_what_a_leg_stores_is_doomed(state: State) -> None:
    """Gone clears what was owed; a key that nobody stores leaves no trace."""
    async with state.ledger(LAKE, ZIP) as ledger:
        await ledger.commit(group(LAKE, ZIP, changes={"lake": put("1")}, owed=[owed("2"), owed("2", leg=ZIP)]))
        gone = [(key(item), "gone", "deleted") for item in "123"]
        await ledger.commit(group(LAKE, ZIP, doomed=gone))
        assert await doomed(ledger) == [("1", "gone")]
        assert await doomed(ledger, ZIP) == []
        assert await debts(ledger) == await debts(ledger, ZIP) == []


async def test_doomed_rows_come_with_their_present_place(state: State) -> None:
    """The row to remove is the one that is stored now; causes can be asked for one by one, in pages."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1", "2", "3")}))
        await ledger.commit(
            group(doomed=[(key("3"), "gone", "x"), (key("1"), "gone", "y"), (key("2"), "withdrawn", "rejected")])
        )
        (first,) = await ledger.doomed("lake", 1)
        assert (first.row, first.cause, first.reason) == (row("1"), "gone", "y")
        assert [each.row.key.item for each in await ledger.doomed("lake", 10, "gone")] == ["1", "3"]
        assert [each.reason for each in await ledger.doomed("lake", 10, "withdrawn")] == ["rejected"]


async def test_what_is_listed_again_is_no_longer_doomed(state: State) -> None:
    """Listed as finished, or stored again: it stays. Both in one group: nothing finished is lost."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1", "2", "3")}))
        await ledger.commit(group(doomed=[(key(item), "gone", "x") for item in "12"]))
        await ledger.commit(
            group(revived=[key("1"), key("3")], changes={"lake": put(row("2", "2"))}, doomed=[(key("3"), "gone", "x")])
        )
        assert await doomed(ledger) == []
        assert await ledger.doomed_count("lake") == (0, 0)


async def test_a_withdrawn_item_can_still_go_for_good(state: State) -> None:
    """Withdrawn twice is nothing new; gone is."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1")}))
        await ledger.commit(group(changes={"lake": [Change("withdraw", row("1"), "rejected")]}))
        await ledger.commit(group(doomed=[(key("1"), "withdrawn", "rejected")]))
        assert await doomed(ledger) == []
        await ledger.commit(group(doomed=[(key("1"), "gone", "x")]))
        assert await doomed(ledger) == [("1", "gone")]


# --------------------------------------------------------------------------------------------- passes


async def test_a_full_pass_dooms_what_it_never_saw_rule_13(state: State) -> None:
    """Seen on any page of the pass, or owed, or withdrawn already: not doomed. Legs that failed are not judged."""
    async with state.ledger(LAKE, ZIP) as ledger:
        await ledger.commit(group(LAKE, ZIP, changes={"lake": put(*"12345"), "nightly": put(*"12", leg=ZIP)}))
        await ledger.commit(group(changes={"lake": [Change("withdraw", row("5"), "rejected")]}, owed=[owed("4", "2")]))
        await ledger.commit(group(LAKE, ZIP, began={SEVEN: True}, seen={SEVEN: [key("1")]}, cursors=at("p1")))
        await ledger.commit(group(LAKE, seen={SEVEN: [key("9")]}, cursors=at("p2")))
        assert (await ledger.partition(SEVEN, frozenset({"lake"}))).tracking is True
        end = group(LAKE, cursors=at("end"), ended=frozenset({SEVEN}), subtract=frozenset({SEVEN}))
        await ledger.commit(end)
        assert await doomed(ledger) == [("2", "gone"), ("3", "gone")]
        assert await doomed(ledger, ZIP) == []
        assert (await ledger.partition(SEVEN, frozenset({"lake"}))).tracking is None


async def test_a_whole_pass_in_one_commit(state: State) -> None:
    """Begin, page and end may come together; what an earlier pass saw does not count."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1", "2")}))
        whole = frozenset({SEVEN})
        await ledger.commit(group(began={SEVEN: True}, seen={SEVEN: [key("1"), key("2")]}, ended=whole, subtract=whole))
        assert await doomed(ledger) == []
        await ledger.commit(group(began={SEVEN: True}, seen={SEVEN: [key("2")]}, ended=whole, subtract=whole))
        assert await doomed(ledger) == [("1", "gone")]


@pytest.mark.parametrize("began", [{}, {SEVEN: False}])
async def test_a_pass_without_a_recorded_beginning_proves_nothing(state: State, began: dict[object, bool]) -> None:
    """Absence counts only after a pass that was seen from its first page."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1")}))
        await ledger.commit(group(began=began, cursors=at("p1")))
        assert (await ledger.partition(SEVEN)).tracking is False
        await ledger.commit(group(ended=frozenset({SEVEN}), subtract=frozenset({SEVEN}), cursors=at("end")))
        assert await doomed(ledger) == []
        assert (await ledger.partition(SEVEN)).tracking is None


async def test_a_delta_pass_forgets_what_it_saw(state: State) -> None:
    """Its end is an end, and nothing is subtracted."""
    async with state.ledger() as ledger:
        await ledger.commit(
            group(changes={"lake": put("1")}, began={SEVEN: True}, ended=frozenset({SEVEN}), cursors=at("c"))
        )
        assert await doomed(ledger) == []
        assert (await ledger.partition(SEVEN)).tracking is None


async def test_a_leg_that_fell_behind_is_not_judged_by_a_later_pass(state: State) -> None:
    """One leg stopped in the middle of a pass that the other finished: no pass from there on proves anything for it."""
    whole = frozenset({SEVEN})
    async with state.ledger(LAKE, ZIP) as ledger:
        everything = {"lake": put("1", "2"), "nightly": put("1", "2", leg=ZIP)}
        seen = {SEVEN: [key("1")]}
        await ledger.commit(group(LAKE, ZIP, changes=everything, began={SEVEN: True}, seen=seen, cursors=at("p1")))
        await ledger.commit(group(LAKE, seen={SEVEN: [key("2")]}, cursors=at("end"), ended=whole, subtract=whole))
        alone = await ledger.partition(SEVEN, frozenset({"nightly"}))
        assert (alone.weakest, alone.tracking) == ("p1", False)
        assert (await ledger.partition(SEVEN)).tracking is False
        assert (await ledger.partition(SEVEN, frozenset({"lake"}))).tracking is None
        await ledger.commit(group(ZIP, seen={SEVEN: [key("2")]}, cursors=at("end"), ended=whole, subtract=whole))
        assert await doomed(ledger, ZIP) == []
        assert (await ledger.partition(SEVEN)).tracking is None


async def test_members_of_a_group_are_the_live_ones_of_any_leg(state: State) -> None:
    """Published or pending, not withdrawn, not deleted."""
    groups = [GroupKey("task 1"), GroupKey("task 2"), GroupKey("task 3")]
    async with state.ledger(LAKE, ZIP) as ledger:
        lake = [row(item, group="task 1") for item in "12"] + [row("3", group="task 2")]
        nightly = [row(item, leg=ZIP, group="task 1") for item in "45"]
        await ledger.commit(group(LAKE, ZIP, changes={"lake": put(*lake), "nightly": put(*nightly)}))
        await ledger.publish("nightly", published(), "run-1", later(0))
        gone = {"lake": [Change("withdraw", lake[1], "x")], "nightly": [Change("delete", nightly[1])]}
        await ledger.commit(group(LAKE, ZIP, changes=gone))
        found = await ledger.members(SEVEN, groups)
    assert found == {groups[0]: {key("1"), key("4")}, groups[1]: {key("3")}, groups[2]: frozenset()}


# ------------------------------------------------------------------------------ publish and rollback


async def test_rows_of_a_container_wait_for_its_publish_rule_1(state: State) -> None:
    """Committed rows hide published ones from the planner, and nobody else sees them before the publish."""
    async with state.open() as store, store.unit("job", unit(), [ZIP]) as ledger:
        first = put(row("1", leg=ZIP, container="7.zip"), row("2", leg=ZIP, container="7.zip"), leg=ZIP)
        await ledger.commit(group(ZIP, changes={"nightly": first}, cursors=at("c1"), resume={"nightly": b"r1"}))
        leg = (await ledger.legs())["nightly"]
        assert (leg.live, leg.bytes, leg.pending, leg.resume, leg.containers) == (2, 20, 2, b"r1", ())
        assert (await one(ledger, candidate("1", "1", "", ZIP), ZIP)).action is Action.SAME
        assert (await store.rows("job", "nightly"), await told(ledger, ZIP)) == ([], [])
        assert (await ledger.checkpoint("nightly"))["live"] == 0
        await ledger.stage("nightly", b"swaps")
        assert (await ledger.legs())["nightly"].staged == b"swaps"
        assert await ledger.publish("nightly", published("7.zip"), "run-2", later(1)) == 2
        leg = (await ledger.legs())["nightly"]
        assert (leg.live, leg.bytes, leg.pending, leg.resume, leg.staged) == (2, 20, 0, b"published", None)
        assert leg.containers == (container("7.zip"),)
        lines = await outbox(ledger, "nightly")
        assert [(line.run, line.at, line.container) for line in lines] == [
            ("run-2", "2026-03-01T12:01:00.000Z", "7.zip")
        ] * 2
        assert [each.key.item for each in await store.rows("job", "nightly")] == ["1", "2"]
        checkpoint = await ledger.checkpoint("nightly")
        assert (checkpoint["live"], checkpoint["bytes"], checkpoint["epoch"]) == (2, 20, ledger.epoch)
        assert checkpoint["partitions"] == [{"key": SEVEN.canonical(), "cursor": "c1"}]


async def test_publish_tells_the_last_word_of_each_key(state: State) -> None:
    """Updates, removals, withdrawals and what came and went between two publishes."""
    async with state.ledger(ZIP) as ledger:
        await ledger.commit(group(ZIP, changes={"nightly": put(*"12345", leg=ZIP)}))
        await ledger.publish("nightly", published("a", "b"), "run-1", later(0))
        await ledger.sent("nightly", 5)
        newer = row("1", "2", leg=ZIP, size=50)
        changes = [
            *put(newer, leg=ZIP), Change("delete", row("2", leg=ZIP), "gone"), Change("withdraw", row("3", leg=ZIP), "no"),
            Change("keep", row("4", leg=ZIP), "kept"), *put("6", leg=ZIP), Change("delete", row("6", leg=ZIP)),
            *put(row("5", "2", leg=ZIP), leg=ZIP), Change("keep", row("5", "2", leg=ZIP), "kept too"),
        ]  # fmt: skip
        await ledger.commit(group(ZIP, changes={"nightly": changes}))
        leg = (await ledger.legs())["nightly"]
        assert (leg.live, leg.bytes, leg.pending) == (1, 50, 6)
        assert await ledger.publish("nightly", published("b", dropped=["a"]), "run-1", later(0)) == 4
        assert await told(ledger, ZIP) == [
            ("put", "1", "2"),
            ("delete", "2", "1"),
            ("withdraw", "3", "1"),
            ("put", "5", "2"),
        ]
        leg = (await ledger.legs())["nightly"]
        assert (leg.live, leg.bytes, leg.pending, [each.name for each in leg.containers]) == (1, 50, 0, ["b"])
        assert await ledger.publish("nightly", published(), "run-1", later(0)) == 0


async def test_rollback_goes_back_to_what_is_published_rule_1(state: State) -> None:
    """Rows, counters, cursors and token; what the dropped rows had settled is owed and doomed again."""
    async with state.ledger(ZIP) as ledger:
        await ledger.commit(group(ZIP, changes={"nightly": put("1", "2", leg=ZIP)}, cursors=at("c1"),
                                  owed=[owed("3", leg=ZIP)], began={SEVEN: True}, ended=frozenset({SEVEN})))  # fmt: skip
        await ledger.commit(group(ZIP, doomed=[(key("2"), "gone", "x")]))
        await ledger.publish("nightly", published("7.zip"), "run-1", later(0))
        before = await ledger.legs()
        changes = [*put(row("1", "2", leg=ZIP, size=99), "3", "4", leg=ZIP), Change("delete", row("2", leg=ZIP))]
        await ledger.commit(group(ZIP, changes={"nightly": changes}, cursors=at("c2"), resume={"nightly": b"r2"}))
        await ledger.commit(group(ZIP, doomed=[(key("4"), "gone", "x")]))
        await ledger.stage("nightly", b"swaps")
        assert (await debts(ledger, ZIP), await ledger.doomed_count("nightly")) == ([], (1, 0))
        assert await ledger.rollback("nightly") == 4
        assert await ledger.legs() == before
        assert await cursor(ledger, ZIP) == "c1"
        assert await debts(ledger, ZIP) == [("3", "1", 1)]
        assert await doomed(ledger, ZIP) == [("2", "gone")]
        assert (await one(ledger, candidate("1", "1", "", ZIP), ZIP)).action is Action.SAME
        assert (await one(ledger, candidate("4", "1", "", ZIP), ZIP)).action is Action.NEW
        assert len(await told(ledger, ZIP)) == 2


async def test_what_a_published_row_settled_stays_settled(state: State) -> None:
    """After the publish there is nothing to go back to."""
    async with state.ledger(ZIP) as ledger:
        await ledger.commit(group(ZIP, owed=[owed("1", leg=ZIP)]))
        await ledger.commit(group(ZIP, changes={"nightly": put("1", leg=ZIP)}))
        assert (await ledger.checkpoint("nightly"))["owed"] != []
        await ledger.publish("nightly", published("7.zip"), "run-1", later(0))
        assert (await ledger.checkpoint("nightly"))["owed"] == []
        assert await ledger.rollback("nightly") == 0
        assert await debts(ledger, ZIP) == []


@pytest.mark.parametrize("ended", [False, True])
async def test_a_pass_that_was_rolled_back_proves_nothing(state: State, *, ended: bool) -> None:
    """Back in the middle of a pass whose seen keys are forgotten: nothing may be subtracted at its end."""
    whole = frozenset({SEVEN})
    async with state.ledger(ZIP) as ledger:
        await ledger.commit(group(ZIP, changes={"nightly": put("1", "2", leg=ZIP)}))
        await ledger.commit(group(ZIP, began={SEVEN: True}, seen={SEVEN: [key("1")]}, cursors=at("p1")))
        await ledger.publish("nightly", published("7.zip"), "run-1", later(0))
        await ledger.commit(
            group(ZIP, seen={SEVEN: [key("2")]}, cursors=at("p2"), ended=whole if ended else frozenset(),
                  subtract=whole if ended else frozenset())
        )  # fmt: skip
        await ledger.rollback("nightly")
        found = await ledger.partition(SEVEN)
        assert (found.weakest, found.tracking) == ("p1", not ended)
        await ledger.commit(group(ZIP, seen={SEVEN: [key("2")]}, cursors=at("end"), ended=whole, subtract=whole))
        assert await doomed(ledger, ZIP) == []


async def test_a_rollback_to_the_end_of_a_pass_begins_a_new_one(state: State) -> None:
    """Between passes is a good place to begin from."""
    async with state.ledger(ZIP) as ledger:
        await ledger.commit(group(ZIP, began={SEVEN: True}, cursors=at("end 1"), ended=frozenset({SEVEN})))
        await ledger.publish("nightly", published("7.zip"), "run-1", later(0))
        await ledger.commit(group(ZIP, began={SEVEN: True}, cursors=at("p1")))
        await ledger.rollback("nightly")
        found = await ledger.partition(SEVEN)
    assert (found.weakest, found.tracking) == ("end 1", None)


async def test_rolling_back_an_immediate_leg_changes_nothing(state: State) -> None:
    """Its rows are published by their commit."""
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put("1")}, cursors=at("c1"), resume={"lake": b"r"}))
        before = await ledger.legs()
        assert await ledger.rollback("lake") == 0
        assert (await ledger.legs(), await cursor(ledger)) == (before, "c1")


# --------------------------------------------------------------------------------------------- outbox


async def test_the_outbox_is_read_in_pages_and_forgotten_up_to_a_number_rule_8(state: State) -> None:
    """Oldest first, numbers never used twice, also not after everything was sent; epochs stand beside them."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            for start in (0, 10, 20):
                await ledger.commit(group(changes={"lake": put(*(str(n) for n in range(start, start + 10)))}))
            seqs = [line.seq for line in await ledger.outbox("lake", 100)]
            assert len(seqs) == len(set(seqs)) == 30
            assert seqs == sorted(seqs)
            first = await ledger.outbox("lake", 14)
            assert [line.seq for line in first] == seqs[:14]
            await ledger.sent("lake", first[-1].seq)
            assert [line.seq for line in await ledger.outbox("lake", 100)] == seqs[14:]
        async with store.unit("job", unit(), [LAKE]) as ledger:
            await ledger.commit(group(changes={"lake": put("99")}))
            rest = await ledger.outbox("lake", 100)
            assert [line.epoch for line in rest] == [ledger.epoch - 1] * 16 + [ledger.epoch]
            await ledger.sent("lake", rest[-1].seq)
            assert await ledger.outbox("lake", 100) == []
            await ledger.commit(group(changes={"lake": put("98")}))
            (last,) = await ledger.outbox("lake", 100)
            assert last.seq > rest[-1].seq


async def test_partitions_bring_their_waiting_rows_into_another_unit(state: State) -> None:
    """A new sink groups partitions otherwise: nothing that waits for a segment is left behind, and epochs go up."""
    seven, eight = partition("7"), partition("8")
    async with state.open() as store:
        for part, epochs in ((seven, 3), (eight, 1)):
            for _ in range(epochs):
                async with store.unit("job", unit(part.key.project, part), [LAKE]) as ledger:
                    assert ledger.epoch > 0
            async with store.unit("job", unit(part.key.project, part), [LAKE]) as ledger:
                await ledger.commit(group(changes={"lake": put(row(key("1", part.key.project)))}))
        async with store.unit("job", unit("all", seven, eight), [LAKE]) as ledger:
            assert ledger.epoch == 5
            assert [line.key.project for line in await outbox(ledger, "lake")] == ["7", "8"]
            assert (await ledger.legs())["lake"].live == 2


# ---------------------------------------------------------------------------------- leases and fences


async def test_a_unit_is_held_by_one_rule_5(state: State) -> None:
    """A second holder is refused with the name of the first; another unit, and a look, are free."""
    async with state.open() as store, store.unit("job", unit(), [LAKE]) as ledger:
        with pytest.raises(LeaseHeld, match=r"unit 7 of job job .* pid \d+ on "):
            await enter(store)
        async with store.unit("job", unit("8", partition("8")), [LAKE]):
            pass
        async with store.peek("job", unit(), [LAKE]) as look:
            assert look.epoch == ledger.epoch
        assert list((await store.status("job")).leases) == ["7"]


async def enter(store: StateStore) -> None:
    """Open and close the unit."""
    async with store.unit("job", unit(), [LAKE]):
        pass


async def test_a_ledger_is_fenced_off_by_a_reset_rule_5(state: State) -> None:
    """Writes under an epoch that is not the unit's any more fail, and leave no trace."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE, ZIP]) as old:
            pass
        async with store.unit("job", unit(), [LAKE, ZIP]) as ledger:
            for write in (
                old.commit(group(changes={"lake": put("1")})),
                old.stage("nightly", b"swaps"),
                old.publish("nightly", published(), "run-1", later(0)),
                old.rollback("nightly"),
                old.sent("lake", 1),
            ):
                with pytest.raises(Fenced, match="no longer ours"):
                    await write
            assert await ledger.legs() == await old.legs()
            assert (await ledger.legs())["lake"].live == 0


async def test_a_look_writes_nothing(state: State) -> None:
    """Peeking at a job that does not exist does not make it exist; classify works, and settles for itself alone."""
    async with state.open() as store:
        async with store.peek("job", unit(), [LAKE, ZIP]) as look:
            first, second = await look.classify([candidate("1", path="a"), candidate("2", path="A")])
            assert (first["lake"].path, second["lake"].path) == ("a", suffixed("A", key("2").canonical()))
            assert (await look.partition(SEVEN)).cursors == {"lake": None, "nightly": None}
            assert (await look.legs())["nightly"].containers == ()
            assert await look.outbox("lake", 10) == await look.owed("lake", 10) == await look.doomed("lake", 10) == []
            assert await look.has([key("1")]) == frozenset()
            assert await look.members(SEVEN, [GroupKey("g")]) == {"g": frozenset()}
            assert (await look.checkpoint("lake"))["live"] == 0
            with pytest.raises(RuntimeError, match="reading only"):
                await look.commit(group())
        assert (await store.jobs(), await store.partitions("job")) == ([], {})
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert ledger.epoch == 1
            assert (await one(ledger, candidate("3", path="a"))).path == "a"
