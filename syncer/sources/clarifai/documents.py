"""Documents out of pages: exact slices of what the server sent, never decoded and encoded again.

64-bit numbers in strings, nine digits of a second, base64 and `1.10` stay to the letter. Where items are inputs, a
document is the input's own slice with the slices of its finished annotations added as its last member.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody
from syncer.model.refs import AnnotationRef, BrokenRow, Cursor, ItemKey, Page, Withdrawal
from syncer.ports import Known
from syncer.sources.clarifai.batches import Scope
from syncer.sources.clarifai.codes import ANNOTATION_STATUSES, said
from syncer.sources.clarifai.options import ClarifaiOptions
from syncer.sources.clarifai.pieces import elements, members, text_of
from syncer.sources.clarifai.rows import (
    Head,
    InputHead,
    Row,
    fields_of,
    input_fields_of,
    item_of,
    moment_of,
    version_of,
)

#: Version of a document that can't be read.
UNREAD = "unreadable"

#: What a row or an input means to a listing.
Item = AnnotationRef | Withdrawal | BrokenRow

_HEAD = msgspec.json.Decoder(Head)
_INPUT = msgspec.json.Decoder(InputHead)
_SLICES = msgspec.json.Decoder(dict[str, Raw])
_ROWS = msgspec.json.Decoder(list[Raw])


class Unreadable(BadBody):
    """A whole answer can't be taken apart: it is cut short, or no JSON at all."""


class Input(msgspec.Struct, frozen=True):
    """One input as a listing shows it."""

    id: str
    #: The exact bytes that were served; None where only the id is known.
    raw: bytes | None = None


class Choice(msgspec.Struct, frozen=True):
    """Which annotations count as finished, and why the others do not."""

    statuses: frozenset[int]
    input_level: str
    list_all: bool

    @classmethod
    def of(cls, options: ClarifaiOptions) -> "Choice":
        """Take it from the options."""
        return cls(options.statuses, options.input_level, options.list_all)

    def reason_against(self, head: Head, scope: Scope) -> str:
        """Return why an annotation does not count; empty if it does. A status that nobody knows counts."""
        if head.code in ANNOTATION_STATUSES and head.code not in self.statuses:
            return f"status is {said(head.code)}"
        if self.input_level != "include" and head.input_level != (self.input_level == "only"):
            return "input level"
        if not (head.trusted or self.list_all or scope.of_machines) and head.made_by_machine:
            return "not trusted"
        return scope.reason_against(head)


class Reader(msgspec.Struct, frozen=True):
    """Reads pages of one partition. Pure; for big pages it is called in a thread."""

    project: str
    scope: Scope
    choice: Choice
    #: "annotation" or "input".
    kind: str

    def annotations(self, body: bytes) -> list[Row]:
        """Return the rows of an annotation list.

        Raises:
            Unreadable: nothing of it can be read.
        """
        return [self.row(raw) for raw in slices_of(body, "annotations")]

    def hits(self, body: bytes) -> list[Row]:
        """Return the annotations of a search's hits.

        Raises:
            Unreadable: nothing of it can be read.
        """
        return [self.row(member_of(raw, "annotation")) for raw in slices_of(body, "hits")]

    def row(self, raw: bytes) -> Row:
        """Read one annotation. One that can't be read has at least its name."""
        try:
            raw.decode()
            head = _HEAD.decode(raw)
        except (ValueError, RecursionError) as error:
            return _broken(raw, error)
        return Row(head.input_id, head.id, raw, head, reason=self.choice.reason_against(head, self.scope))

    # ------------------------------------------------------------------------------------------- items

    def key(self, item: str) -> ItemKey:
        """Return the key of an item of this partition."""
        return ItemKey(self.kind, self.project, self.scope.name, None, item)

    def item(self, row: Row, *, inline: bool) -> Item:
        """Return what a row means where items are annotations."""
        key = self.key(item_of(row.input, row.id))
        head = row.head
        if head is None:
            return BrokenRow(key, UNREAD, row.broken)
        if row.reason:
            return Withdrawal(key, row.reason)
        return AnnotationRef(
            key,
            version_of(head, row.raw),
            moment_of(head.modified_at),
            size=len(row.raw) if inline else None,
            fields=fields_of(head),
            inline=row.raw if inline else None,
        )

    def document(self, found: Input, rows: Sequence[Row]) -> Item:
        """Return what an input with all its annotations means where items are inputs."""
        key = self.key(item_of_input(found.id))
        broken = next((row.broken for row in rows if row.head is None), "")
        kept = sorted((row for row in rows if row.head is not None and not row.reason), key=_age)
        if broken:
            return BrokenRow(key, UNREAD, broken)
        if not kept:
            return Withdrawal(key, "no finished annotation")
        raw = found.raw or b"{}"
        try:
            raw.decode()
            head = _INPUT.decode(raw)
            slices = _SLICES.decode(raw)
        except (ValueError, RecursionError) as error:
            return BrokenRow(key, UNREAD, _words(error))
        parts = [b"%b:%b" % (msgspec.json.encode(name), bytes(value)) for name, value in slices.items()]
        body = b",".join([*parts, b'"annotations":[%b]' % b",".join(row.raw for row in kept)])
        stamps = [head.modified_at or head.created_at]
        stamps += [f"{row.id} {version_of(row.head, row.raw)}" for row in kept if row.head is not None]
        newest = max(filter(None, (moment_of(row.head.modified_at) for row in kept if row.head)), default=None)
        document = b"{%b}" % body
        return AnnotationRef(
            key,
            hashlib.sha256("\n".join(stamps).encode()).hexdigest()[:32],
            newest,
            size=len(document),
            fields=input_fields_of(head),
            inline=document,
        )


def inputs_of(body: bytes, name: str = "inputs") -> list[Input]:
    """Return the inputs of a list, or of a dataset's list.

    Raises:
        Unreadable: it can't be read, or an input has no id.
    """
    found: list[Input] = []
    for raw in slices_of(body, name):
        own = raw if name == "inputs" else member_of(raw, "input")
        try:
            found.append(Input(_INPUT.decode(own).id, own))
        except (ValueError, RecursionError) as error:
            words = text_of(_members(own).get("id"))
            if not words:
                raise Unreadable("an input was served without its id") from error
            found.append(Input(words, own))
    return found


async def page_of(items: Iterable[Item], known: Known, cursor: Cursor | None = None) -> Page:
    """Return items as a page: one that does not count is withdrawn if it is known, else left out."""
    every = list(items)
    others = [item for item in every if isinstance(item, Withdrawal)]
    held = await known.has([item.key for item in others]) if others and known.live else frozenset()
    withdrawn = tuple(item for item in others if item.key in held)
    return Page(
        refs=tuple(item for item in every if isinstance(item, AnnotationRef)),
        withdrawn=withdrawn,
        broken=tuple(item for item in every if isinstance(item, BrokenRow)),
        cursor=cursor,
        filtered=len(others) - len(withdrawn),
    )


def item_of_input(input_id: str) -> str:
    """Return the id of an item that is an input."""
    return item_of(input_id, "").removesuffix(".")


def slices_of(body: bytes, name: str) -> list[bytes]:
    """Return the rows of a list as they were served; none where the list is absent.

    Raises:
        Unreadable: it can't be taken apart at all.
    """
    try:
        rows = _SLICES.decode(body).get(name)
        return [] if rows is None else [bytes(row) for row in _ROWS.decode(rows)]
    except (ValueError, RecursionError):
        # A row of it is to blame, and must not take the others with it.
        try:
            return elements(members(body).get(name, b"[]"))
        except ValueError as error:
            raise Unreadable(f"the answer can't be read: {_words(error)}") from error


def _broken(raw: bytes, error: Exception) -> Row:
    parts = _members(raw)
    return Row(text_of(parts.get("input_id")), text_of(parts.get("id")), raw, broken=_words(error))


def member_of(raw: bytes, name: str) -> bytes:
    """Return the value of one member of an object, as it stands; an empty object where it has none."""
    try:
        return bytes(_SLICES.decode(raw).get(name, Raw(b"{}")))
    except (ValueError, RecursionError):
        return _members(raw).get(name, b"{}")


def _members(raw: bytes) -> dict[str, bytes]:
    try:
        return members(raw)
    except ValueError:
        return {}


def _age(row: Row) -> tuple[str, str]:
    return (row.head.created_at if row.head is not None else "", row.id)


def _words(error: Exception) -> str:
    return "it nests too deeply" if isinstance(error, RecursionError) else f"it can't be read: {str(error)[:200]}"
