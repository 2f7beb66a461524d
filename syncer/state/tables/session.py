"""What one open unit knows by heart: the ids behind its names, and the paths that it settled and did not store yet."""

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from syncer.model.checkpoint import LegSpec
from syncer.model.entries import Leg
from syncer.model.errors import Fenced
from syncer.model.refs import ItemKey, PartitionKey
from syncer.ports import Unit
from syncer.state.names import place_of
from syncer.state.tables.transaction import Transaction

#: Places of settled paths that no row holds yet, with their owners. Shared by all units of a store.
Reserved = dict[int, ItemKey]

#: Places that are being cleared at a destination, with the units that do it. Shared in the same way.
Vacating = dict[int, str]


class Fingerprints(msgspec.Struct):
    """Fingerprints by id, with the options behind them."""

    ids: dict[str, int] = msgspec.field(default_factory=dict)
    names: dict[int, str] = msgspec.field(default_factory=dict)
    options: dict[str, Mapping[str, str] | None] = msgspec.field(default_factory=dict)

    def load(self, transaction: Transaction) -> None:
        """Read them all: there is one for each set of options that was ever used."""
        for number, name, options in transaction.execute("SELECT id, name, options FROM fingerprints"):
            self._note(number, name, None if options is None else json.loads(options))

    def id_of(self, transaction: Transaction, name: str, options: Mapping[str, str] | None = None) -> int:
        """Return the id of a fingerprint, new or old; note its options where they were unknown."""
        known = self.ids.get(name)
        if known is not None and (options is None or self.options[name] is not None):
            return known
        text = None if options is None else json.dumps(dict(options), sort_keys=True)
        (number,) = transaction.execute(
            "INSERT INTO fingerprints (name, options) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET options = coalesce(fingerprints.options, excluded.options) RETURNING id",
            (name, text),
        ).fetchone()
        self._note(number, name, options)
        return int(number)

    def changed(self, stored: str, spec: LegSpec) -> str:
        """Return the names of the options in which a stored fingerprint differs from a leg's present one."""
        before = self.options.get(stored)
        if before is None:
            return "options"
        names = sorted(name for name in {*before, *spec.options} if before.get(name) != spec.options.get(name))
        return ", ".join(names) or "options"

    def _note(self, number: int, name: str, options: Mapping[str, str] | None) -> None:
        self.ids[name], self.names[number], self.options[name] = number, name, options


class Session(msgspec.Struct):
    """One unit, open for work or for a look. Used in the database's thread only."""

    job: str
    unit: Unit
    specs: Mapping[Leg, LegSpec]
    reserved: Reserved
    vacating: Vacating
    writable: bool
    #: Leases that must still be held when something is written.
    tickets: Sequence[int] = ()
    epoch: int = 0
    unit_id: int | None = None
    leg_ids: dict[Leg, int] = msgspec.field(default_factory=dict)
    leg_units: dict[Leg, int] = msgspec.field(default_factory=dict)
    #: Id of the position of a leg in a partition, and back.
    positions: dict[Leg, dict[PartitionKey, int]] = msgspec.field(default_factory=dict)
    names: dict[int, tuple[Leg, PartitionKey]] = msgspec.field(default_factory=dict)
    partitions: dict[PartitionKey, int] = msgspec.field(default_factory=dict)
    fingerprints: Fingerprints = msgspec.field(default_factory=Fingerprints)
    #: Paths settled in this session and not stored yet, with their places.
    settled: dict[tuple[Leg, ItemKey], tuple[str, int]] = msgspec.field(default_factory=dict)
    #: Passes that began in this session, by position.
    joined: dict[int, int] = msgspec.field(default_factory=dict)
    closed: bool = False

    def load(self, transaction: Transaction) -> None:
        """Read the ids of everything that exists; what does not exist reads as empty."""
        found = transaction.execute(
            "SELECT u.id, u.epoch FROM units AS u JOIN jobs AS j ON j.id = u.job WHERE j.name = ? AND u.name = ?",
            (self.job, self.unit.name),
        ).fetchone()
        legs = transaction.execute(
            "SELECT l.name, l.id FROM legs AS l JOIN jobs AS j ON j.id = l.job WHERE j.name = ?", (self.job,)
        )
        self.leg_ids = {name: number for name, number in legs if name in self.specs}
        if found is not None:
            self.unit_id, self.epoch = found
        berths = transaction.execute("SELECT leg, id FROM leg_units WHERE unit = ?", (self.unit_id,))
        by_leg: dict[int, int] = dict(berths.fetchall())
        self.leg_units = {name: by_leg[leg] for name, leg in self.leg_ids.items() if leg in by_leg}
        self.partitions, self.names, self.joined = {}, {}, {}
        self.positions = {leg: {} for leg in self.specs}
        self._load_partitions(transaction)
        self.fingerprints.load(transaction)

    def _load_partitions(self, transaction: Transaction) -> None:
        names = {number: name for name, number in self.leg_ids.items()}
        # Those of the unit, selected today or not; and those asked for, which may have been in another unit so far.
        asked = json.dumps([partition.key.canonical() for partition in self.unit.partitions])
        rows = transaction.execute(
            "SELECT p.id, p.key, s.leg, s.id FROM partitions AS p LEFT JOIN positions AS s ON s.partition = p.id"
            " WHERE p.unit = ?1 OR (p.job = (SELECT id FROM jobs WHERE name = ?2)"
            " AND p.key IN (SELECT value FROM json_each(?3)))",
            (self.unit_id, self.job, asked),
        )
        for partition_id, text, leg, position in rows:
            key = PartitionKey.parse(text)
            self.partitions[key] = partition_id
            if leg in names:
                self._note(names[leg], key, position)

    def position(self, transaction: Transaction, leg: Leg, partition: PartitionKey) -> int:
        """Return the position of a leg in a partition, made where it does not exist."""
        known = self.positions[leg].get(partition)
        if known is not None:
            return known
        partition_id = self.partition(transaction, partition)
        (position,) = transaction.execute(
            "INSERT INTO positions (leg, partition) VALUES (?, ?)"
            " ON CONFLICT (leg, partition) DO UPDATE SET leg = positions.leg RETURNING id",
            (self.leg_ids[leg], partition_id),
        ).fetchone()
        self._note(leg, partition, position)
        return int(position)

    def partition(self, transaction: Transaction, key: PartitionKey) -> int:
        """Return the id of a partition, made where it does not exist."""
        known = self.partitions.get(key)
        if known is not None:
            return known
        (partition_id,) = transaction.execute(
            "INSERT INTO partitions (job, key, unit) SELECT job, ?2, id FROM units WHERE id = ?1"
            " ON CONFLICT (job, key) DO UPDATE SET unit = excluded.unit RETURNING id",
            (self.unit_id, key.canonical()),
        ).fetchone()
        self.partitions[key] = partition_id
        return int(partition_id)

    def of_leg(self, leg: Leg) -> str:
        """Return the ids of all positions of a leg in this unit, as a JSON array for `json_each`."""
        return json.dumps(list(self.positions[leg].values()))

    def of_partition(self, legs: Iterable[Leg], partition: PartitionKey) -> list[int]:
        """Return the positions that these legs have in a partition; those that don't exist are left out."""
        return [self.positions[leg][partition] for leg in legs if partition in self.positions[leg]]

    def scope(self, leg: Leg) -> str:
        """Return the name of the space in which a leg's paths are unique: its root, or the containers of one unit."""
        root = str(self.leg_ids.get(leg, f"new {leg}"))
        return root if self.specs[leg].immediate else f"{root}/{self.unit_id or self.unit.name}"

    def reserve(self, leg: Leg, key: ItemKey, path: str, place: int) -> None:
        """Hold a settled path until its row is committed."""
        self.free([(leg, key)])
        self.settled[leg, key] = (path, place)
        self.reserved[place] = key

    def free(self, keys: Iterable[tuple[Leg, ItemKey]]) -> None:
        """Let go of paths that now stand in a row, or that nobody will use."""
        for each in keys:
            held = self.settled.pop(each, None)
            if held is not None and self.reserved.get(held[1]) == each[1]:
                del self.reserved[held[1]]

    def path_and_place(self, leg: Leg, key: ItemKey, path: str) -> tuple[str, int]:
        """Return a path with its place; the digest is at hand if this session settled it."""
        held = self.settled.get((leg, key)) if self.settled else None
        return held if held is not None and held[0] == path else (path, place_of(self.scope(leg), path))

    def fence(self, transaction: Transaction) -> None:
        """Make sure that the unit is still ours.

        Raises:
            Fenced: it was taken over, reset or given back.
        """
        ours = self.writable and not self.closed and transaction.still_ours(self.unit_id, self.epoch, self.tickets)
        if not ours:
            message = f"unit {self.unit.name} of job {self.job} is no longer ours: nothing was written"
            raise Fenced(message, hint="another process works on it, or it was reset; let that one finish")

    def close(self) -> None:
        """Let go of every path."""
        self.closed = True
        self.free(list(self.settled))

    def _note(self, leg: Leg, partition: PartitionKey, position: int) -> None:
        self.positions[leg][partition] = position
        self.names[position] = (leg, partition)
