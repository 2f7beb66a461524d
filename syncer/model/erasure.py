"""An erasure: what is asked for, what belongs to it, and the record that lets it go on after a kill. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from syncer.model.entries import Leg, StoredRow
from syncer.model.errors import SettingsError
from syncer.model.refs import CONTEXT, FILES, GroupKey, ItemKey
from syncer.model.value import asdict

#: What this version writes, and the newest that it reads.
FORMAT = 1
#: Name of the note of a job that holds the record of an erasure under way.
NOTE = "erasure"
#: What stands where a text named what was erased.
ERASED = "(it named an erased item)"

#: asked: nothing is looked for yet. open: all places stand in the record. clean: only the database's leftovers remain.
Phase = Literal["asked", "open", "clean"]

#: What an item is known by, whatever batch and annotation type it was listed under.
Name = tuple[str, str, str]


#: Stands for whatever kind an item is of, where only its id is known.
ANY = "*"


def name_of(key: ItemKey) -> Name:
    """Return what an item is known by."""
    return (key.kind, key.project, key.item)


class Place(msgspec.Struct, frozen=True):
    """Where bytes of an erased item lie."""

    path: str
    container: str | None
    size: int
    sha256: str
    #: It is what readers see now, not a superseded version.
    current: bool = True

    def row(self) -> StoredRow:
        """Return it as a sink is told of it."""
        return StoredRow(_NOBODY, "", self.path, self.container, self.size, self.sha256)


#: Stands for the item of a place: sinks need to know only where it is.
_NOBODY = ItemKey("erased", "", None, None, "")


class Targets(msgspec.Struct):
    """Decides which rows belong to what is to be erased.

    An item goes in all batches and types that it was listed under. With it goes what is of another kind and belongs to
    the same group, or has the same id: its media, its asset. Others of its own kind in the group are somebody else's
    work; they go only with `groups`.
    """

    asked: set[Name]
    groups: bool = False
    #: Kinds that were asked for, by the project and group of their items.
    _groups: dict[tuple[str, str], set[str]] = msgspec.field(default_factory=dict)
    _loose: set[tuple[str, str]] = msgspec.field(default_factory=set)

    def note(self, key: ItemKey, group: GroupKey | None) -> None:
        """Let a row pass by, before any is matched: what was asked for may say which group it belongs to."""
        if not self._asked(key):
            return
        if group is not None:
            self._groups.setdefault((key.project, group), set()).add(key.kind)
        else:
            self._loose.add((key.project, key.item))

    def match(self, key: ItemKey, group: GroupKey | None) -> bool:
        """Tell whether a row goes."""
        if self._asked(key):
            return True
        if key.kind == CONTEXT:
            return False
        if group is None:
            return (key.project, key.item) in self._loose
        kinds = self._groups.get((key.project, group))
        return kinds is not None and (self.groups or key.kind not in kinds)

    def _asked(self, key: ItemKey) -> bool:
        return name_of(key) in self.asked or (
            (ANY, key.project, key.item) in self.asked and key.kind not in FILES and key.kind != CONTEXT
        )

    def beside(self, key: ItemKey, group: GroupKey | None) -> bool:
        """Tell whether a row stays that belongs to the same group as one that goes."""
        return group is not None and (key.project, group) in self._groups and not self.match(key, group)

    def grouped(self, names: Iterable[Name]) -> set[tuple[str, str, GroupKey]]:
        """Return (kind, project, group) of which everything goes, also what comes later: of the kinds that went."""
        kinds = {kind for kind, _, _ in names}
        return {
            (kind, project, GroupKey(group))
            for (project, group), asked in self._groups.items()
            for kind in kinds
            if self.groups or kind not in asked
        }


class Record(msgspec.Struct):
    """An erasure of one job, as it stands in the state until it is done."""

    id: str
    started: str
    phase: Phase = "asked"
    groups: bool = False
    #: Canonical keys: as asked for, then all that go; forgotten in the last phase.
    keys: list[str] = msgspec.field(default_factory=list)
    places: dict[Leg, list[Place]] = msgspec.field(default_factory=dict)
    #: sha256 of archives and segments before, by leg and name.
    archives: dict[Leg, dict[str, str]] = msgspec.field(default_factory=dict)
    segments: dict[Leg, dict[str, str]] = msgspec.field(default_factory=dict)
    #: Rows of the state that go, and items of the same groups that stay.
    rows: int = 0
    beside: int = 0
    #: The part of the certificate that is known; it names nobody.
    done: dict[str, Any] = msgspec.field(default_factory=dict)

    def dump(self) -> str:
        """Return it as text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"))

    @property
    def item_keys(self) -> list[ItemKey]:
        """Return the keys."""
        return [ItemKey.parse(text) for text in self.keys]


def load(text: str) -> Record:
    """Read what `Record.dump` wrote.

    Raises:
        SettingsError: a newer version wrote it.
    """
    data = json.loads(text)
    written = data.pop("format")
    if written > FORMAT:
        message = f"the state holds an erasure of format {written}; this version reads up to {FORMAT}"
        raise SettingsError(message, hint="use the newer syncer that began it")
    places = {leg: [Place(**each) for each in rows] for leg, rows in data.pop("places").items()}
    return Record(places=places, **data)


def mentions(ids: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a text names one of some ids: as a word of its own, not as a part of another."""
    if not ids:
        return lambda _: False
    words = "|".join(re.escape(each) for each in sorted(ids, key=len, reverse=True))
    pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])")
    return lambda text: pattern.search(text) is not None


def scrubbed(value: Any, named: Callable[[str], bool]) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """Return a JSON value without the texts that name something."""
    if isinstance(value, str):
        return ERASED if named(value) else value
    if isinstance(value, list):
        return [scrubbed(each, named) for each in value]
    if isinstance(value, dict):
        return {name: scrubbed(each, named) for name, each in value.items()}
    return value
