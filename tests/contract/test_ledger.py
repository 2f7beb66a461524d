"""What every ledger promises: comparing, settling paths, leases. A new kind of state is one more name in `STATES`."""

import pytest

from syncer.model.checkpoint import Action, Change, LegSpec
from syncer.model.errors import Fenced, LeaseHeld
from syncer.model.paths import suffixed
from syncer.model.refs import CONTEXT, GroupKey, ItemKey
from syncer.ports import StateStore
from tests.support.states import (
    LAKE,
    SEVEN,
    ZIP,
    State,
    candidate,
    group,
    later,
    one,
    owed,
    published,
    put,
    row,
)
from tests.support.stored import key, partition, unit

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


async def test_a_place_that_another_unit_holds_is_not_vacated_rule_19(state: State) -> None:
    """What a row, an owed item or a settled path of any unit holds stays; what this unit settles, it writes later."""
    other = unit("8", partition("8"))
    async with (
        state.open() as store,
        store.unit("job", unit(), [LAKE]) as ledger,
        store.unit("job", other, [LAKE]) as beside,
    ):
        await ledger.commit(group(changes={"lake": put(row("1", path="stored"))}))
        await beside.commit(group(changes={"lake": put(row(key("2", "8"), path="beside"))}))
        await beside.classify([candidate(key("3", "8"), path="owed"), candidate(key("4", "8"), path="settled")])
        await beside.commit(group(owed=[owed(key("3", "8"))]))
        await ledger.classify([candidate("5", path="mine")])
        names = ["stored", "beside", "BESIDE", "owed", "settled", "mine", "free"]
        async with ledger.vacating("lake", names) as vacant:
            assert sorted(vacant) == ["free", "mine"]


async def test_nobody_gets_a_place_that_another_unit_clears_rule_19(state: State) -> None:
    """It would be deleted from under its new owner; once it is cleared, it is free. The unit itself may have it."""
    other = unit("8", partition("8"))
    mine, theirs = candidate("1", path="a"), candidate(key("1", "8"), path="a")
    async with (
        state.open() as store,
        store.unit("job", unit(), [LAKE]) as ledger,
        store.unit("job", other, [LAKE]) as beside,
        ledger.vacating("lake", ["a"]),
    ):
        assert (await one(beside, theirs)).path == suffixed("a", key("1", "8").canonical())
        assert (await one(ledger, mine)).path == "a"
    async with state.ledger() as ledger, ledger.vacating("lake", ["b"]):
        pass
    async with state.ledger(of=other) as beside:
        assert (await one(beside, candidate(key("2", "8"), path="b"))).path == "b"


async def test_context_documents_take_part_like_items(state: State) -> None:
    """Rows of kind `context` are stored, compared and settled as all others, and are not counted as labels."""
    config = ItemKey(CONTEXT, "7", None, None, "label_config")
    async with state.ledger() as ledger:
        await ledger.commit(group(changes={"lake": put(row(config, path="_context/label_config.xml"), "1")}))
        assert (await one(ledger, candidate(config))).action is Action.SAME
        assert (await ledger.partition(SEVEN)).live == {"lake": 1}
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
            for nothing in (look.outbox("lake", 10), look.owed("lake", 10), look.doomed("lake", 10)):
                assert await nothing == []
            assert await look.has([key("1")]) == frozenset()
            assert await look.members(SEVEN, [GroupKey("g")]) == {"g": frozenset()}
            assert (await look.checkpoint("lake"))["live"] == 0
            with pytest.raises(RuntimeError, match="reading only"):
                await look.commit(group())
        assert (await store.jobs(), await store.partitions("job")) == ([], {})
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert ledger.epoch == 1
            assert (await one(ledger, candidate("3", path="a"))).path == "a"
