"""What every state store promises. A new kind of state is one more name in `tests.support.states.STATES`."""

from collections.abc import AsyncIterator, Sequence

import pytest
from msgspec.structs import replace

from syncer.model.checkpoint import Action, Change, LegSpec
from syncer.model.errors import Exit, Fenced, LeaseHeld, SettingsError
from syncer.model.refs import CONTEXT, Cursor, ItemKey
from syncer.model.report import Counts, Problem, Report
from syncer.model.rows import ManifestRow
from syncer.model.snapshot import cursors_of, owed_of
from syncer.ports import Ledger, StateStore
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
from tests.support.stored import START, key, manifest_row, partition, unit

EIGHT = partition("8").key


async def stored(store: StateStore, job: str = "job", *items: str) -> None:
    """Store some items of a job, with a cursor."""
    async with store.unit(job, unit(), [LAKE]) as ledger:
        await ledger.commit(group(changes={"lake": put(*items or ("1",))}, cursors=at("c1"), owed=[owed("owed")]))


# --------------------------------------------------------------------------------------------- leases


async def test_a_whole_job_excludes_its_shards_and_shards_do_not_rule_5(state: State) -> None:
    """One run of a job at a time, or one of each of its shards."""
    async with state.open() as store:
        async with store.lease("job"):
            for shard in (None, (0, 2)):
                with pytest.raises(LeaseHeld, match=r"job job is being worked on by pid \d+ on"):
                    await run(store, "job", shard)
            await run(store, "other")
        async with store.lease("job", (0, 2)), store.lease("job", (1, 2)):
            with pytest.raises(LeaseHeld):
                await run(store, "job")
            with pytest.raises(LeaseHeld, match=r"shard 1/2 of job job"):
                await run(store, "job", (1, 2))
        async with store.lease("job", (0, 2)):
            await run(store, "job", (1, 2))
        await run(store, "job")


async def run(store: StateStore, job: str, shard: tuple[int, int] | None = None) -> None:
    """Hold a lease for a moment."""
    async with store.lease(job, shard):
        pass


# ------------------------------------------------------------------------------------ layouts, claims


async def test_a_layout_is_remembered_rule_15(state: State) -> None:
    """None until it is set; the last one counts; of each leg for itself."""
    async with state.open() as store:
        assert await store.layout("job", "lake") is None
        await store.set_layout("job", "lake", {"mode": "current"}, "s3://bucket")
        await store.set_layout("job", "nightly", {}, "file:x")
        await stored(store)
        assert await store.layout("job", "lake") == {"mode": "current"}
        assert await store.layout("job", "nightly") == {}
        await store.set_layout("job", "lake", {"mode": "append"}, "s3://bucket")
        assert await store.layout("job", "lake") == {"mode": "append"}
        assert await store.layout("other", "lake") is None


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("s3://b/x", "7/"), ("s3://b/x", ""), ("s3://b/x", "7/sub/"), ("s3://b/x", "7/9.zip"), ("s3://b", "x/7/"),
        ("s3://b", ""), ("s3://b/x/7", "more/"), ("s3://b/x/", "archive.zip"),
    ],
)  # fmt: skip
async def test_overlapping_claims_are_refused_with_both_names_rule_4(state: State, root: str, path: str) -> None:
    """Equal, inside or around, also when the roots are spelled or nested otherwise."""
    async with state.open() as store:
        await store.claim("first", "s3://b/x", ["7/", "archive.zip"])
        with pytest.raises(SettingsError, match=r"job second .* belongs to job first") as caught:
            await store.claim("second", root, ["free/", path])
        assert caught.value.hint
        assert await store.jobs() == ["first"]


@pytest.mark.parametrize(
    ("root", "path"), [("s3://b/x", "70/"), ("s3://b/x", "7.zip"), ("s3://b/y", ""), ("s3://bb", "")]
)
async def test_disjoint_claims_below_one_root_are_fine_rule_4(state: State, root: str, path: str) -> None:
    """A job may claim the same again, and another one what lies beside it."""
    async with state.open() as store:
        await store.claim("first", "s3://b/x", ["7/", "archive.zip"])
        await store.claim("first", "s3://b/x", ["7/", "7/sub/"])
        await store.claim("second", root, [path])


# ----------------------------------------------------------------------------------------- partitions


async def test_partitions_are_those_that_were_synced(state: State) -> None:
    """Listed once, or holding something; labels are counted, context is not."""
    async with state.open() as store:
        assert await store.partitions("job") == {}
        async with store.unit("job", unit("all", partition(), partition("8"), partition("9")), [LAKE]) as ledger:
            assert await store.partitions("job") == {}
            context = row(ItemKey(CONTEXT, "7", None, None, "config"))
            await ledger.commit(group(changes={"lake": put("1", context)}, cursors={EIGHT: Cursor("c")}))
            assert await store.partitions("job") == {SEVEN: 1, EIGHT: 0}


async def test_a_released_partition_is_doomed_and_then_forgotten_rule_14(state: State) -> None:
    """Its items wait for the next run to remove them, its cursor and what it owed are gone."""
    async with state.open() as store:
        async with store.unit("job", unit("all", partition(), partition("8")), [LAKE]) as ledger:
            changes = put("1", "2", row(key("1", "8")))
            cursors = {SEVEN: Cursor("c"), EIGHT: Cursor("c")}
            await ledger.commit(group(changes={"lake": changes}, owed=[owed("3")], cursors=cursors))
            await ledger.commit(group(changes={"lake": [Change("withdraw", row("2"), "no")]}))
        await store.release("job", [SEVEN, partition("nobody").key])
        assert await store.partitions("job") == {SEVEN: 1, EIGHT: 1}
        async with store.unit("job", unit("all", partition("8")), [LAKE]) as ledger:
            assert await doomed(ledger) == [("1", "gone"), ("2", "gone")]
            assert await debts(ledger) == []
            assert await cursor(ledger) is None
            removal = [Change("delete", each.row, each.reason) for each in await ledger.doomed("lake", 10)]
            await ledger.commit(group(changes={"lake": removal}))
            assert await store.partitions("job") == {EIGHT: 1}


async def test_a_released_partition_that_comes_back_is_synced_again(state: State) -> None:
    """Listed again before it was removed: its items are there, and stay."""
    async with state.open() as store:
        await stored(store)
        await store.release("job", [SEVEN])
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert (await one(ledger, candidate("1"))).action is Action.SAME
            await ledger.commit(group(revived=[key("1")], began={SEVEN: True}, cursors=at("c2")))
            assert await doomed(ledger) == []
        assert await store.partitions("job") == {SEVEN: 1}


# -------------------------------------------------------------------------------------------- history


def report(run: str, minutes: int, job: str = "job") -> Report:
    """Return the report of a run."""
    problem = Problem("a sink failed", Exit.NOT_NOW, "look", "lake")
    return Report(job, run, later(minutes), later(minutes + 1), Counts(listed=3, stored=3), complete=True,
                  problems=(problem,), owed={"lake": 1})  # fmt: skip


async def test_runs_are_remembered_newest_first(state: State) -> None:
    """A run that is under way has no end yet; one that never began can end all the same."""
    async with state.open() as store:
        for number in range(3):
            await store.begin_run("job", f"run-{number}", later(number))
        await store.end_run(report("run-1", 1), 3)
        await store.end_run(report("stray", 9, "other"), 75)
        runs = await store.runs("job", 10)
        assert [each.run for each in runs] == ["run-2", "run-1", "run-0"]
        assert (runs[0].ended, runs[0].code, runs[0].report) == (None, None, {})
        assert (runs[1].started, runs[1].ended, runs[1].code) == (later(1), later(2), 3)
        assert runs[1].report["counts"]["stored"] == 3  # type: ignore[index]  # JSON
        problem = {"message": "a sink failed", "code": 75, "hint": "look", "leg": "lake", "away": False}
        assert runs[1].report["problems"] == [problem]
        assert [each.run for each in await store.runs(None, 2)] == ["stray", "run-2"]
        assert await store.jobs() == ["job"]
        await store.end_run(report("run-2", 3), 0, replaces="run-1")
        assert [each.run for each in await store.runs("job", 10)] == ["run-2", "run-0"]
        await store.end_run(report("run-2", 3), 0, replaces="run-2")
        assert [each.run for each in await store.runs("job", 10)] == ["run-2", "run-0"]


async def test_notes_belong_to_their_job(state: State) -> None:
    """A note outlives the process, is replaced and taken away, follows a new name, and goes with a reset."""
    async with state.open() as store:
        await store.remember("job", "schedule", '{"last": 1}')
        await store.remember("job", "schedule", '{"last": 2}')
        await store.remember("job", "fresh", "é")
        await store.remember("other", "schedule", "theirs")
        await store.remember("other", "never written", None)
        assert await store.jobs() == []
    if state.url != "memory:":
        async with state.open() as store:
            assert await store.recall("job") == {"schedule": '{"last": 2}', "fresh": "é"}
    async with state.open() as store:
        await store.remember("job", "fresh", "yes")
        await store.begin_run("job", "run-0", later(0))
        await store.rename("job", "street")
        assert "fresh" in await store.recall("street")
        assert await store.recall("job") == {}
        await store.remember("street", "fresh", None)
        assert "fresh" not in await store.recall("street")
        await store.reset("street")
        assert await store.recall("street") == {}
        await store.begin_run("third", "run-1", later(1))
        await store.remember("street", "old", "of a forgotten job")
        await store.rename("third", "street")
        assert await store.recall("street") == {}


# ------------------------------------------------------------------------------------- status and owed


async def test_status_adds_up_over_units(state: State) -> None:
    """Items, bytes, owed, doomed and pending of each leg; an unknown job is an empty one."""
    async with state.open() as store:
        for project in ("7", "8"):
            async with store.unit("job", unit(project, partition(project)), [LAKE, ZIP]) as ledger:
                items = [key("1", project), key("2", project)]
                changes = {"lake": put(*map(row, items)), "nightly": put(*(row(each, leg=ZIP) for each in items))}
                debt = [owed(key("3", project))]
                await ledger.commit(group(LAKE, ZIP, changes=changes, owed=debt))
                await ledger.commit(group(LAKE, doomed=[(key("1", project), "gone", "x")]))
                held = (await store.status("job")).leases
                assert list(held) == [project]
                assert held[project].startswith("pid ")
        status = await store.status("job")
        assert (status.items, status.bytes) == ({"lake": 4, "nightly": 4}, {"lake": 40, "nightly": 40})
        assert (status.owed, status.doomed) == ({"lake": 2, "nightly": 0}, {"lake": 2, "nightly": 0})
        assert (status.pending, status.partitions, status.leases) == ({"lake": 0, "nightly": 4}, 2, {})
        assert (await store.status("nobody")).items == {}


async def test_owed_items_of_a_job_are_listed_and_postponed_rule_18(state: State) -> None:
    """All legs and units together; postponing counts items, not legs; `None` lifts it and makes them due."""
    async with state.open() as store:
        for project in ("7", "8"):
            async with store.unit("job", unit(project, partition(project)), [LAKE, ZIP]) as ledger:
                debt = [owed(key("1", project), leg=leg, next=later(60), fields={"a": "b"}) for leg in (LAKE, ZIP)]
                await ledger.commit(group(LAKE, ZIP, owed=debt))
        found = await store.all_owed("job")
        assert sorted((item.leg, item.key.project) for item in found) == [
            ("lake", "7"), ("lake", "8"), ("nightly", "7"), ("nightly", "8"),
        ]  # fmt: skip
        assert (found[0].fields, found[0].first, found[0].next) == ({"a": "b"}, START, later(60))
        keys = [key("1"), key("1"), key("1", "8"), key("9")]
        assert await store.postpone("job", keys, later(90)) == 2
        assert {item.ignored_until for item in await store.all_owed("job")} == {later(90)}
        assert await store.postpone("job", [key("1")], None) == 1
        assert {item.next for item in await store.all_owed("job") if item.key == key("1")} == {None}
        assert await store.postpone("other", keys, None) == 0
        assert await store.all_owed("other") == []


# -------------------------------------------------------------------------------------- rows, rebuild


async def batches(*rows: Sequence[ManifestRow]) -> AsyncIterator[Sequence[ManifestRow]]:
    """Return a manifest's rows, a few at a time."""
    for batch in rows:
        yield batch


async def rebuilt(store: StateStore, leg: LegSpec, rows: Sequence[ManifestRow], ledger: Ledger | None = None) -> None:
    """Rebuild one leg of the unit from rows alone."""
    del ledger
    await store.rebuild("job", unit(), leg, batches(rows), (), {}, 1)


async def test_rows_tell_what_is_published(state: State) -> None:
    """In key order, with what a manifest would say of them."""
    async with state.open() as store, store.unit("job", unit(), [LAKE]) as ledger:
        full = row("2", fields={"a": "b"}, group="g", container="x.zip")
        await ledger.commit(group(changes={"lake": put(full, "1")}))
        await ledger.commit(group(changes={"lake": [Change("withdraw", row("1"), "no")]}))
        rows = await store.rows("job", "lake")
        first, second = rows
        assert (first.op, first.key, first.reason) == ("withdraw", key("1"), "no")
        assert replace(second, run="run-1", at="2026-03-01T12:00:00.000Z") == (await outbox(ledger, "lake"))[0]
        assert await store.rows("job", "nobody") == []


async def test_a_rebuilt_state_is_where_the_destination_is_rule_9(state: State) -> None:
    """Rows, containers, cursors and owed items come back; nothing is told, fetched or fenced twice."""
    async with state.open() as store:
        async with store.unit("job", unit(), [ZIP]) as ledger:
            changes = put(row("1", leg=ZIP, container="7.zip", group="g"), row("2", leg=ZIP, container="7.zip"))
            debt = [owed("3", leg=ZIP, reason="404", next=later(5), fields={"a": "b"})]
            await ledger.commit(group(ZIP, changes={"nightly": changes}, cursors=at("c1"), owed=debt))
            await ledger.publish("nightly", published("7.zip"), "run-1", later(0))
            checkpoint = dict(await ledger.checkpoint("nightly"))
            told_before = await outbox(ledger, "nightly")
            before = (await ledger.legs())["nightly"], await ledger.owed("nightly", 10)
        await store.reset("job")
        dead = replace(manifest_row(row("9", leg=ZIP)), op="delete")
        await store.rebuild(
            "job", unit(), ZIP, batches([dead, *told_before], [], [replace(manifest_row(row("9")), op="put")], [dead]),
            [container("7.zip"), container("8.zip")], cursors_of(checkpoint), 40, owed_of(checkpoint, "nightly"),
        )  # fmt: skip
        async with store.unit("job", unit(), [ZIP]) as ledger:
            assert ledger.epoch > 40
            after = (await ledger.legs())["nightly"]
            assert after == replace(before[0], resume=None)
            assert await ledger.owed("nightly", 10) == before[1]
            assert await cursor(ledger, ZIP) == "c1"
            assert await ledger.outbox("nightly", 10) == []
            assert (await one(ledger, candidate("1", "1", "", ZIP), ZIP)).action is Action.SAME
            assert [each.key.item for each in await store.rows("job", "nightly")] == ["1", "2"]


async def test_a_rebuild_replaces_what_was_there_rule_9(state: State) -> None:
    """Old rows, unpublished ones, tokens and doomed items go; other legs and units stay."""
    async with state.open() as store:
        async with store.unit("job", unit(), [LAKE, ZIP]) as ledger:
            await ledger.commit(group(LAKE, ZIP, changes={"lake": put("1"), "nightly": put("1", leg=ZIP)}))
            await ledger.publish("nightly", published("7.zip"), "run-1", later(0))
            more = {"nightly": put(row("2", leg=ZIP), row("1", "2", leg=ZIP))}
            await ledger.commit(group(ZIP, changes=more, resume={"nightly": b"r"}, doomed=[(key("1"), "gone", "x")]))
        withdrawn = replace(manifest_row(row("5", leg=ZIP)), op="withdraw", reason="no", fingerprint="")
        await rebuilt(store, ZIP, [manifest_row(row("4")), withdrawn])
        async with store.unit("job", unit(), [LAKE, ZIP]) as ledger:
            legs = await ledger.legs()
            nightly = legs["nightly"]
            assert (nightly.live, nightly.pending, nightly.resume, nightly.containers) == (1, 0, None, ())
            assert await ledger.doomed_count("nightly") == (0, 0)
            assert legs["lake"].live == 1
            assert len(await told(ledger)) == 1
            five = await one(ledger, candidate("5", "1", "", ZIP), ZIP)
            assert (five.action, five.reason) == (Action.CHANGED, "finished again")
            four = await one(ledger, candidate("4", "1", "", ZIP), ZIP)
            assert four.action is Action.SAME  # a manifest without a fingerprint was written with today's options
            taken = await one(ledger, candidate("6", "1", "4.json", ZIP), ZIP)
            assert taken.path != "4.json"


async def test_a_cursor_from_a_manifest_proves_no_deletions(state: State) -> None:
    """It may stand in the middle of a pass whose beginning nobody remembers."""
    whole = frozenset({SEVEN})
    async with state.open() as store:
        rows = batches([manifest_row(row("1")), manifest_row(row("2"))])
        await store.rebuild("job", unit(), LAKE, rows, (), {SEVEN: Cursor("p2"), EIGHT: None}, 1)
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert (await ledger.partition(SEVEN)).tracking is False
            end = group(cursors=at("end"), seen={SEVEN: [key("2")]}, ended=whole, subtract=whole)
            await ledger.commit(end)
            assert await doomed(ledger) == []
            assert (await ledger.partition(SEVEN)).tracking is None


async def test_a_manifest_that_breaks_off_changes_nothing(state: State) -> None:
    """What was there stays until the last row was read."""

    async def torn() -> AsyncIterator[Sequence[ManifestRow]]:
        yield [manifest_row(row("2"))]
        message = "a segment is missing"
        raise OSError(message)

    async with state.open() as store:
        await stored(store)
        with pytest.raises(OSError, match="a segment is missing"):
            await store.rebuild("job", unit(), LAKE, torn(), (), {}, 1)
        assert [each.key.item for each in await store.rows("job", "lake")] == ["1"]


async def test_a_unit_at_work_is_not_rebuilt_reset_or_renamed(state: State) -> None:
    """Whoever works on it is named."""
    async with state.open() as store:
        await stored(store)
        async with store.unit("job", unit(), [LAKE]):
            for change in (
                store.rebuild("job", unit(), LAKE, batches(), (), {}, 1),
                store.reset("job"),
                store.rename("job", "new"),
                store.invalidate("job", "lake", [key("1")], "x"),
            ):
                with pytest.raises(LeaseHeld, match=r"pid \d+"):
                    await change
        assert len(await store.rows("job", "lake")) == 1


async def test_damaged_items_are_owed_again(state: State) -> None:
    """Rows of single items stay until the new copy is there; those of lost archives go with them."""
    async with state.open() as store:
        async with store.unit("job", unit("all", partition(), partition("8")), [LAKE, ZIP]) as ledger:
            nightly = [row(item, leg=ZIP, container=f"{name}.zip") for item, name in zip("1234", "aabb", strict=True)]
            nightly.append(row(key("5", "8"), leg=ZIP, container="b.zip", fields={"a": "b"}))
            await ledger.commit(group(LAKE, ZIP, changes={"nightly": put(*nightly), "lake": put("1")}))
            await ledger.publish("nightly", published("a.zip", "b.zip"), "run-1", later(0))
            await ledger.commit(group(ZIP, changes={"nightly": [Change("withdraw", nightly[3], "no")]}))
            await ledger.publish("nightly", published(), "run-1", later(0))
        keys = [key("1"), key("3"), key("9")]
        assert await store.invalidate("job", "nightly", keys, "repair", ["b.zip"]) == 3
        async with store.unit("job", unit("all", partition(), partition("8")), [LAKE, ZIP]) as ledger:
            found = await ledger.owed("nightly", 10)
            assert [(item.key, item.version, item.attempts, item.reason) for item in found] == [
                (key("1"), "1", 0, "repair"), (key("3"), "1", 0, "repair"), (key("5", "8"), "1", 0, "repair"),
            ]  # fmt: skip
            assert found[2].fields == {"a": "b"}
            assert await debts(ledger) == []
            leg = (await ledger.legs())["nightly"]
            assert (leg.live, [each.name for each in leg.containers]) == (2, ["a.zip"])
            assert (await one(ledger, candidate(key("5", "8"), "1", "5.json", ZIP), ZIP)).path == "5.json"
            await ledger.commit(group(ZIP, changes={"nightly": put(*nightly[:1])}))
            assert [item for item, *_ in await debts(ledger, ZIP)] == ["3", "5"]
        assert await store.invalidate("job", "nightly", [], "repair") == 0


# ------------------------------------------------------------------------------------ reset and rename


async def test_a_reset_job_is_forgotten_and_counts_on(state: State) -> None:
    """Nothing of it is left but its history; epochs at its destination are not used twice; others stay."""
    async with state.open() as store:
        await store.begin_run("job", "run-1", START)
        await store.set_layout("job", "lake", {}, "s3://b")
        await store.claim("job", "s3://b", ["7/"])
        await stored(store)
        await stored(store, "other")
        async with store.unit("job", unit(), [LAKE]) as old:
            epoch = old.epoch
        await store.reset("job")
        await store.reset("nobody")
        with pytest.raises(Fenced):
            await old.commit(group())
        assert (await store.jobs(), await store.partitions("job")) == (["other"], {})
        assert (await store.rows("job", "lake"), await store.all_owed("job")) == ([], [])
        assert await store.layout("job", "lake") is None
        assert (await store.status("job")).items == {}
        assert [each.run for each in await store.runs("job", 10)] == ["run-1"]
        await store.claim("third", "s3://b", ["7/"])
        assert (await store.status("other")).items == {"lake": 1}
        async with store.unit("job", unit(), [LAKE]) as ledger:
            assert ledger.epoch > epoch
            assert (await one(ledger, candidate("1"))).action is Action.NEW
            assert await cursor(ledger) is None
        assert await store.jobs() == ["job", "other", "third"]


async def test_a_renamed_job_goes_on_where_it_was(state: State) -> None:
    """Rows, claims, history and epochs go with it; names that are taken or unknown are refused."""
    async with state.open() as store:
        await store.begin_run("job", "run-1", START)
        await store.claim("job", "s3://b", ["7/"])
        for _ in range(3):
            async with store.unit("new", unit(), [LAKE]) as ledger:
                epoch = ledger.epoch
        await stored(store)
        await stored(store, "other")
        with pytest.raises(SettingsError, match="there is a job other"):
            await store.rename("job", "other")
        with pytest.raises(SettingsError, match="there is no job nobody"):
            await store.rename("nobody", "somebody")
        await store.reset("new")
        await store.rename("job", "new")
        await store.rename("new", "new")
        assert await store.jobs() == ["new", "other"]
        assert [each.job for each in await store.runs(None, 10)] == ["new"]
        with pytest.raises(SettingsError, match="belongs to job new"):
            await store.claim("other", "s3://b", ["7/"])
        async with store.unit("new", unit(), [LAKE]) as ledger:
            assert ledger.epoch > epoch
            assert (await one(ledger, candidate("1"))).action is Action.SAME
            assert await cursor(ledger) == "c1"


async def test_a_store_has_an_id_and_an_address(state: State) -> None:
    """Two stores are never the same one."""
    async with state.open() as store, State("memory:", state.folder).open() as other:
        assert len(store.id) == 32
        assert store.id != other.id
        assert store.url.startswith(state.url.partition(":")[0])
