"""A ledger against a model of dictionaries, and against a platform that never deletes anything."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syncer.flow.discover import position
from syncer.flow.job import RunOptions
from syncer.model.checkpoint import Action, Change, CommitGroup, LegSpec
from syncer.model.paths import fold
from syncer.ports import Ledger, StateStore
from syncer.state.memory import memory_state
from tests.support.states import (
    LAKE,
    SEVEN,
    ZIP,
    at,
    candidate,
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
)
from tests.support.stored import key, unit

ITEMS = st.sampled_from("12345")
SOME = st.lists(ITEMS, unique=True, max_size=4)
VERSIONS = st.sampled_from("123")
LEGS = st.sampled_from([(LAKE,), (ZIP,), (LAKE, ZIP)])
BOTH = (LAKE, ZIP)


class Driver(RuleBasedStateMachine):
    """Runs a ledger in memory on an event loop of its own; a rule is a call or two."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.store: StateStore = self.runner.run(self.stack.enter_async_context(memory_state()))
        self.held = AsyncExitStack()
        self.ledger: Ledger = self.runner.run(self.held.enter_async_context(self.store.unit("job", unit(), BOTH)))

    def take_over(self) -> None:
        """The process dies, and another one opens the unit."""
        self.runner.run(self.held.aclose())
        self.ledger = self.runner.run(self.held.enter_async_context(self.store.unit("job", unit(), BOTH)))

    def commit(self, commit: CommitGroup) -> None:
        """Commit a group."""
        self.runner.run(self.ledger.commit(commit))

    def teardown(self) -> None:
        """Close everything."""
        self.runner.run(self.held.aclose())
        self.runner.run(self.stack.aclose())
        self.runner.close()


@dataclass
class Stored:
    """What the model knows of an item."""

    version: str
    path: str
    withdrawn: bool = False
    #: Of an unpublished row.
    op: str = "put"


@dataclass
class LegModel:
    """One leg, the slow and obvious way."""

    spec: LegSpec
    items: dict[str, Stored] = field(default_factory=dict)
    pending: dict[str, Stored] = field(default_factory=dict)
    owed: dict[str, str] = field(default_factory=dict)
    doomed: dict[str, str] = field(default_factory=dict)
    #: Settled by unpublished rows.
    asleep_owed: dict[str, str] = field(default_factory=dict)
    asleep_doomed: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None
    published_cursor: str | None = None
    #: What a reader of the manifest believes.
    manifest: dict[str, str] = field(default_factory=dict)

    @property
    def view(self) -> dict[str, Stored]:
        """What the leg holds: pending over published."""
        view = {**self.items, **self.pending}
        return {item: stored for item, stored in view.items() if stored.op != "delete"}

    @property
    def live(self) -> set[str]:
        """Items that are held and finished."""
        return {item for item, stored in self.view.items() if not stored.withdrawn}

    def change(self, op: str, item: str, stored: Stored) -> None:
        """One change of a commit."""
        withdrawn = op in {"withdraw", "keep"}
        if self.spec.immediate:
            if op == "delete":
                self.items.pop(item, None)
            else:
                self.items[item] = Stored(stored.version, stored.path, withdrawn)
            self.owed.pop(item, None)
            self.doomed.pop(item, None)
            return
        before = self.pending.get(item)
        told = before.op if op == "keep" and before is not None and before.op != "delete" else op
        self.pending[item] = Stored(stored.version, stored.path, withdrawn, told)
        for awake, asleep in ((self.owed, self.asleep_owed), (self.doomed, self.asleep_doomed)):
            if item in awake:
                asleep[item] = awake.pop(item)

    def doom(self, item: str, cause: str) -> None:
        """An item was found gone or withdrawn."""
        self.owed.pop(item, None)
        self.asleep_owed.pop(item, None)
        if item in self.view and (cause == "gone" or not self.view[item].withdrawn):
            self.doomed[item] = cause
            self.asleep_doomed.pop(item, None)

    def publish(self) -> None:
        """Everything unpublished becomes published."""
        for item, stored in self.pending.items():
            if stored.op == "delete":
                self.items.pop(item, None)
            else:
                self.items[item] = Stored(stored.version, stored.path, stored.withdrawn)
        self.pending.clear()
        self.asleep_owed.clear()
        self.asleep_doomed.clear()
        self.published_cursor = self.cursor

    def rollback(self) -> None:
        """Everything unpublished is gone."""
        self.pending.clear()
        self.owed |= self.asleep_owed
        self.doomed |= self.asleep_doomed
        self.asleep_owed.clear()
        self.asleep_doomed.clear()
        self.doomed = {item: cause for item, cause in self.doomed.items() if item in self.items}
        self.cursor = self.published_cursor


class LedgerMachine(Driver):
    """Commits, publishes, rollbacks and take-overs in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.legs = {spec.name: LegModel(spec) for spec in BOTH}
        self.moves = 0

    @rule(items=SOME, version=VERSIONS, wish=st.sampled_from(["{}.json", "same.json", "Same.json"]), legs=LEGS)
    def store_items(self, items: list[str], version: str, wish: str, legs: tuple[LegSpec, ...]) -> None:
        """Items are listed, and stored by some legs at the paths that were settled for them."""
        page = [candidate(item, version, wish.format(item), *legs) for item in items]
        answers = self.runner.run(self.ledger.classify(page))
        changes: dict[str, list[Change]] = {}
        for item, answer in zip(items, answers, strict=True):
            for leg, verdict in answer.items():
                model = self.legs[leg]
                changes.setdefault(leg, []).append(Change("put", row(item, version, verdict.path, leg=model.spec)))
                model.change("put", item, Stored(version, verdict.path))
        self.moves += 1
        self.commit(group(*legs, changes=changes, cursors=at(str(self.moves))))
        for spec in legs:
            self.legs[spec.name].cursor = str(self.moves)
            if spec.immediate:
                self.legs[spec.name].published_cursor = str(self.moves)

    @rule(items=SOME, op=st.sampled_from(["delete", "withdraw", "keep"]), legs=LEGS)
    def remove_items(self, items: list[str], op: str, legs: tuple[LegSpec, ...]) -> None:
        """Some of what is held goes, or is kept with a reason."""
        changes: dict[str, list[Change]] = {}
        for spec in legs:
            model = self.legs[spec.name]
            for item in items:
                if (stored := model.view.get(item)) is not None:
                    old = row(item, stored.version, stored.path, leg=spec)
                    changes.setdefault(spec.name, []).append(Change(op, old, "because"))
                    model.change(op, item, stored)
        self.commit(group(*legs, changes=changes))

    @rule(items=SOME, version=VERSIONS, legs=LEGS)
    def owe_items(self, items: list[str], version: str, legs: tuple[LegSpec, ...]) -> None:
        """Some items could not be had."""
        self.commit(group(*legs, owed=[owed(item, version, leg=spec) for spec in legs for item in items]))
        for spec in legs:
            for item in items:
                self.legs[spec.name].owed[item] = version
                self.legs[spec.name].asleep_owed.pop(item, None)

    @rule(items=SOME, cause=st.sampled_from(["gone", "withdrawn"]), back=SOME, legs=LEGS)
    def doom_items(self, items: list[str], cause: str, back: list[str], legs: tuple[LegSpec, ...]) -> None:
        """Some items were found gone, some were listed again; both at once means that they are there."""
        self.commit(
            group(*legs, doomed=[(key(item), cause, "x") for item in items], revived=[key(item) for item in back])
        )
        for spec in legs:
            model = self.legs[spec.name]
            for item in set(items) - set(back):
                model.doom(item, cause)
            for item in back:
                model.doomed.pop(item, None)
                model.asleep_doomed.pop(item, None)

    @rule()
    def publish(self) -> None:
        """The archive is published."""
        self.runner.run(self.ledger.publish("nightly", published("7.zip"), "run-1", later(0)))
        self.legs["nightly"].publish()

    @rule()
    def rollback(self) -> None:
        """The archive was lost before it was published."""
        dropped = self.runner.run(self.ledger.rollback("nightly"))
        assert dropped == len(self.legs["nightly"].pending)
        self.legs["nightly"].rollback()

    @rule()
    def die(self) -> None:
        """Another process goes on."""
        self.take_over()

    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        """A segment with the oldest manifest rows is durable."""
        for leg, model in self.legs.items():
            waiting = self.runner.run(self.ledger.outbox(leg, count))
            for line in self.runner.run(outbox(self.ledger, leg, count)):
                model.manifest.pop(line.key.item, None)
                if line.op != "delete":
                    model.manifest[line.key.item] = line.version
            if waiting:
                self.runner.run(self.ledger.sent(leg, waiting[-1].seq))

    @invariant()
    def counters_are_right(self) -> None:
        """Live items, bytes, pending rows and cursors are the model's."""
        states = self.runner.run(self.ledger.legs())
        partition = self.runner.run(self.ledger.partition(SEVEN))
        for leg, model in self.legs.items():
            found = states[leg]
            assert (found.live, found.pending) == (len(model.live), len(model.pending))
            assert found.bytes == 10 * len(model.live)
            assert partition.cursors[leg] == model.cursor
            assert partition.live[leg] == len(model.live)
        known = min(len(model.live | model.owed.keys()) for model in self.legs.values())
        assert min(partition.live.values()) + partition.owed == known

    @invariant()
    def rows_are_right(self) -> None:
        """The planner sees what the model holds."""
        for model in self.legs.values():
            for item in "12345":
                held = model.view.get(item)
                verdict = self.runner.run(one(self.ledger, candidate(item, "2", "zz", model.spec), model.spec))
                stored = verdict.stored
                assert (held is None) == (stored is None)
                if held is not None and stored is not None:
                    same = held.version == "2" and not held.withdrawn
                    assert verdict.action is (Action.SAME if same else Action.CHANGED)
                    assert (stored.version, stored.path) == (held.version, held.path)
                    assert (stored.withdrawn is not None) == held.withdrawn
            assert dict(self.runner.run(doomed(self.ledger, model.spec))) == model.doomed
            assert {item: version for item, version, _ in self.runner.run(debts(self.ledger, model.spec))} == model.owed

    @invariant()
    def paths_never_meet(self) -> None:
        """No two items of a leg share a path, on any file system."""
        for model in self.legs.values():
            for rows in (model.items, model.view):
                paths = [fold(stored.path) for stored in rows.values()]
                assert len(paths) == len(set(paths))

    @invariant()
    def the_manifest_tells_it(self) -> None:
        """Segments and waiting rows together say what is published."""
        for leg, model in self.legs.items():
            manifest = dict(model.manifest)
            for line in self.runner.run(outbox(self.ledger, leg)):
                manifest.pop(line.key.item, None)
                if line.op != "delete":
                    manifest[line.key.item] = line.version
            assert manifest == {item: stored.version for item, stored in model.items.items()}


#: A platform with three items on as many pages.
PAGES = "123"


class PassMachine(Driver):
    """Runs over a platform that never deletes anything, cut short anywhere, by legs that come and go."""

    @rule(
        legs=LEGS, relist=st.sampled_from([False, False, True]), pages=st.integers(1, len(PAGES)), saved=st.booleans()
    )
    def run(self, legs: tuple[LegSpec, ...], *, relist: bool, pages: int, saved: bool) -> None:
        """A run starts as the engine would start it, and lists some pages, or all that are left."""
        self.take_over()
        live = frozenset(spec.name for spec in legs)
        state = self.runner.run(self.ledger.partition(SEVEN, live))
        since, began = position(state, live, RunOptions(relist=relist))
        start = 0 if since is None or since == "end" else int(since)
        for page in range(start, min(start + pages, len(PAGES))):
            last = page + 1 == len(PAGES)
            done = frozenset({SEVEN}) if last else frozenset()
            self.commit(
                group(
                    *legs,
                    changes={spec.name: put(row(PAGES[page], leg=spec)) for spec in legs},
                    began={} if began is None else {SEVEN: began},
                    seen={SEVEN: [key(PAGES[page])]},
                    # A page may have nothing to remember yet; the next one has.
                    cursors=at("end" if last else str(page + 1)) if saved or last else {},
                    ended=done,
                    subtract=done,
                )
            )
            began = None

    @rule()
    def publish(self) -> None:
        """The archive is published."""
        self.runner.run(self.ledger.publish("nightly", published("7.zip"), "run-1", later(0)))

    @rule()
    def lose(self) -> None:
        """The unpublished archive is lost."""
        self.runner.run(self.ledger.rollback("nightly"))

    @invariant()
    def nothing_is_doomed(self) -> None:
        """What was never deleted is never taken for deleted."""
        for spec in BOTH:
            assert self.runner.run(doomed(self.ledger, spec)) == []


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=25, stateful_step_count=25)
TestPasses = PassMachine.TestCase
TestPasses.settings = settings(max_examples=60, stateful_step_count=30)
