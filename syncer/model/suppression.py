"""The list of what was erased and may not come back. It knows items when it meets them, and names none of them. Pure.

Each line is a keyed digest of an item's kind, project and id, or of a group that files belong to. Whoever has the list
alone can't even try guesses; whoever also has its key can try them, one by one. So the two are never one document.
"""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from syncer.model.refs import AnnotationRef, GroupKey, ItemKey

#: Bytes of a key, and of what is kept of a digest.
_KEY, _TOKEN = 32, 16


class Mark(msgspec.Struct, frozen=True):
    """When a line was added, and when it was lifted; the later of the two counts. ISO 8601, UTC."""

    since: str
    lifted: str = ""

    @property
    def active(self) -> bool:
        """Whether the item may not come back."""
        return self.since > self.lifted

    def merged(self, other: "Mark") -> "Mark":
        """Return what two copies of a line say together."""
        return Mark(max(self.since, other.since), max(self.lifted, other.lifted))


class Suppression(msgspec.Struct, frozen=True):
    """All lines that are known, by the name of their key. Usually there is one key."""

    secrets: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    marks: Mapping[str, Mapping[str, Mark]] = msgspec.field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether anything is on it."""
        return any(self.marks.values())

    @property
    def active(self) -> int:
        """How many lines are in force."""
        return sum(mark.active for marks in self.marks.values() for mark in marks.values())

    def keyed(self) -> "Suppression":
        """Return the same with a key to add lines under, if there is none yet."""
        return self if self.secrets else with_secret(self, secrets.token_bytes(_KEY))

    def tokens(self, keys: Iterable[ItemKey], groups: Iterable[tuple[str, str, GroupKey]] = ()) -> list[str]:
        """Return the lines of items, and of groups as (kind, project, group), under the first key."""
        secret = self.secrets[min(self.secrets)]
        found = [of_item(secret, key) for key in keys]
        return found + [of_group(secret, *group) for group in groups]

    def all_tokens(self, key: ItemKey, group: GroupKey | None = None) -> list[str]:
        """Return the lines that an item could have, under any key, with and without its group."""
        secrets_ = self.secrets.values()
        found = [of_item(secret, key) for secret in secrets_]
        return found + ([of_group(secret, key.kind, key.project, group) for secret in secrets_] if group else [])

    def marked(self, tokens: Iterable[str], at: str, *, lift: bool = False) -> "Suppression":
        """Return the list with lines added to the first key, or lifted under any key that has them."""
        names = list(self.secrets) if lift else [min(self.secrets)]
        marks = {name: dict(self.marks.get(name, {})) for name in self.secrets}
        for name in names:
            for token in tokens:
                before = marks[name].get(token)
                if lift and before is not None:
                    marks[name][token] = replace(before, lifted=at)
                elif not lift:
                    marks[name][token] = Mark(at, "" if before is None else before.lifted)
        return replace(self, marks=marks)

    def hides(self, key: ItemKey, group: GroupKey | None = None) -> bool:
        """Tell whether an item was erased, or belongs to a group of which its kind was."""
        for name, marks in self.marks.items():
            secret = self.secrets.get(name)
            if secret is None or not marks:
                continue
            mark = marks.get(of_item(secret, key))
            if mark is None and group is not None:
                mark = marks.get(of_group(secret, key.kind, key.project, group))
            if mark is not None and mark.active:
                return True
        return False

    def hides_ref(self, ref: AnnotationRef) -> bool:
        """Tell the same of a listed reference."""
        return self.hides(ref.key, ref.group)

    def merged(self, other: "Suppression") -> "Suppression":
        """Return what two copies say together."""
        marks = {name: dict(lines) for name, lines in self.marks.items()}
        for name, lines in other.marks.items():
            mine = marks.setdefault(name, {})
            for token, mark in lines.items():
                mine[token] = mark.merged(mine[token]) if token in mine else mark
        return Suppression({**other.secrets, **self.secrets}, marks)


def with_secret(suppression: Suppression, secret: bytes) -> Suppression:
    """Return a list with one key more."""
    name = sha256(secret).hexdigest()[:16]
    return replace(suppression, secrets={**suppression.secrets, name: secret}, marks={name: {}, **suppression.marks})


def of_item(secret: bytes, key: ItemKey) -> str:
    """Return the line of an item: batches and annotation types are only ways to it."""
    return _token(secret, "item", key.kind, key.project, key.item)


def of_group(secret: bytes, kind: str, project: str, group: GroupKey) -> str:
    """Return the line of everything of one kind that belongs to a group."""
    return _token(secret, "group", kind, project, group)


def _token(secret: bytes, *parts: str) -> str:
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()
    return hmac.digest(secret, text, "sha256")[:_TOKEN].hex()
