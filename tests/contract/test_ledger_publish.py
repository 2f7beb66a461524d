"""What every ledger promises of a publish, of the way back, and of the outbox."""

import pytest

from syncer.model.checkpoint import Action, Change
from tests.support.states import (
    LAKE,
    SEVEN,
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
from tests.support.stored import key, partition, unit

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
            *put(newer, leg=ZIP),
            Change("delete", row("2", leg=ZIP), "gone"),
            Change("withdraw", row("3", leg=ZIP), "no"),
            Change("keep", row("4", leg=ZIP), "kept"),
            *put("6", leg=ZIP),
            Change("delete", row("6", leg=ZIP)),
            *put(row("5", "2", leg=ZIP), leg=ZIP),
            Change("keep", row("5", "2", leg=ZIP), "kept too"),
        ]
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
        await ledger.commit(group(ZIP, began={SEVEN: True}, ended=frozenset({SEVEN}), cursors=at("c1")))
        await ledger.commit(group(ZIP, changes={"nightly": put("1", "2", leg=ZIP)}, owed=[owed("3", leg=ZIP)]))
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
