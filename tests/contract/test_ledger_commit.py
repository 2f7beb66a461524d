"""What every ledger promises of a commit: rows, owed and doomed items, and passes."""

import pytest

from syncer.model.checkpoint import Action, Change
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.model.rows import decode_row
from tests.support.states import (
    LAKE,
    SEVEN,
    ZIP,
    State,
    at,
    candidate,
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


async def test_each_place_that_an_item_leaves_is_told(state: State) -> None:
    """Also the middle one of two moves in neighbouring groups, or in one: the rows know it, not who wrote them."""

    def move(path: str, item: str = "1", *, moves: bool = True) -> Change:
        return Change("put", row(item, path=path), moves=moves)

    async with state.ledger() as ledger:
        for changes in (
            [move("a"), move("b"), move("x", "2")],
            [move("c")],
            [move("d"), move("d"), move("D"), move("e")],
            [move("y", "2", moves=False)],
        ):
            await ledger.commit(group(changes={"lake": changes}))
        lines = [decode_row(line.line) for line in await ledger.outbox("lake", 100)]
    assert [(line.path, line.left) for line in lines] == [
        ("a", ""), ("b", "a"), ("x", ""), ("c", "b"), ("d", "c"), ("d", ""), ("D", ""), ("e", "D"), ("y", ""),
    ]  # fmt: skip


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


async def test_a_commit_that_fails_writes_nothing(state: State) -> None:
    """Not even the partition that it would have made; the next one goes through."""
    stray = row(key("1", "8"))
    broken = row("2", fields={"a": object()})  # type: ignore[dict-item]  # what no source may yield
    async with state.open() as store, store.unit("job", unit(), [LAKE]) as ledger:
        with pytest.raises(TypeError):
            await ledger.commit(group(changes={"lake": put(stray, "3", broken)}, cursors=at("c1")))
        assert await cursor(ledger) is None
        assert await told(ledger) == []
        await ledger.commit(group(changes={"lake": put(stray, "3")}))
        assert (await ledger.legs())["lake"].live == 2
        assert await store.partitions("job") == {SEVEN: 1, partition("8").key: 1}


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


async def test_a_full_pass_spares_kinds_that_it_did_not_look_for_rule_14(state: State) -> None:
    """Their absence proves nothing; their live rows are counted, published or not, withdrawn ones left out."""
    media = [key(number)._replace(kind="media") for number in "123"]
    kinds = frozenset({"media"})
    async with state.ledger(LAKE, ZIP) as ledger:
        for spec in (LAKE, ZIP):
            files = [row(item, path=f"{item.item}.png", leg=spec) for item in media]
            back = Change("withdraw", files[2], "reopened")
            changes = {spec.name: [*put("1", "2", *files, leg=spec), back]}
            await ledger.commit(group(LAKE, ZIP, changes=changes))
        assert await ledger.count(SEVEN, kinds) == {"lake": 2, "nightly": 2}
        assert await ledger.count(PartitionKey("never"), kinds) == {"lake": 0, "nightly": 0}
        whole = frozenset({SEVEN})
        seen = {SEVEN: [key("1")]}
        await ledger.commit(group(LAKE, ZIP, began={SEVEN: True}, seen=seen, ended=whole, subtract=whole, spared=kinds))
        for leg in (LAKE, ZIP):
            assert await doomed(ledger, leg) == [("2", "gone")]
        await ledger.commit(group(LAKE, ZIP, began={SEVEN: True}, seen=seen, ended=whole, subtract=whole))
        assert len(await doomed(ledger)) == 3


async def test_the_platforms_own_reason_outlives_absence(state: State) -> None:
    """What the platform says of an item's end stays when the pass then finds it missing; others are just missing."""
    async with state.ledger() as ledger:
        whole = frozenset({SEVEN})
        await ledger.commit(group(changes={"lake": put("1", "2", "3")}))
        gone = [(key("1"), "gone", "the scene was invalidated")]
        await ledger.commit(
            group(began={SEVEN: True}, seen={SEVEN: [key("3")]}, doomed=gone, ended=whole, subtract=whole)
        )
        reasons = {each.row.key.item: each.reason for each in await ledger.doomed("lake", 10)}
        assert reasons.keys() == {"1", "2"}
        assert reasons["1"] == "the scene was invalidated"
        assert "invalidated" not in reasons["2"]


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


async def test_a_platform_may_say_anything(state: State) -> None:
    """Ids, versions and reasons with characters that some databases can't store come back as they were."""
    odd = "a\0b\u2028\U0001f697 '%s' $1 ?2 \\"
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put(row(odd, odd, path="x.json", fields={"k\0": odd}))}))
        assert (await one(ledger, candidate(odd, odd, "x.json"))).action is Action.SAME
        await ledger.commit(group(owed=[owed(f"{odd}2", odd, reason=odd)]))
        (debt,) = await ledger.owed("lake", 10)
        assert (debt.key.item, debt.version, debt.reason) == (f"{odd}2", odd, odd)
        (line,) = await outbox(ledger, "lake")
        assert (line.key.item, line.fields) == (odd, {"k\0": odd})
        assert await ledger.has([key(odd)]) == {key(odd)}
