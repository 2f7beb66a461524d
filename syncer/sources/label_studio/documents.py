"""Documents out of pages: exact slices of what the server sent, never decoded and encoded again.

A page is cut into its rows, and a row into `msgspec.Raw` slices: `1.10`, twenty-digit integers and the order of keys
stay to the letter.
Task documents have the structure of Label Studio's JSON export with the fields that the task list serves; keys
that move by themselves (`options.VOLATILE`) are cut out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from syncer.model.errors import BadBody
from syncer.model.refs import AnnotationRef, GroupKey, ItemKey, Withdrawal
from syncer.net.rows import Steps, rows_of, utf8
from syncer.sources.label_studio.choice import Choice
from syncer.sources.label_studio.files import Files
from syncer.sources.label_studio.rows import NO_DATA, Head, Row, Task, details_of, fields_of, moment_of, version_of

#: An object as slices: the value of each key as it was served.
Slices = dict[str, Raw]

_HEAD = msgspec.json.Decoder(Head)
_HEADS = msgspec.json.Decoder(list[Head])
_TASK = msgspec.json.Decoder(Task)
_SLICES = msgspec.json.Decoder(Slices)
_LIST = msgspec.json.Decoder(list[Slices])
_KEY = msgspec.json.Encoder()


class Unreadable(BadBody):
    """A page is not JSON that can be read: NaN, half a surrogate pair, endless nesting. Some row of it is to blame."""


class _Page(msgspec.Struct):
    total: int
    tasks: list[Raw]


_PAGE = msgspec.json.Decoder(_Page)


class Reader(msgspec.Struct, frozen=True):
    """Reads pages of one project into rows, step by step. Pure."""

    project: str
    #: "task" or "annotation".
    kind: str
    choice: Choice
    volatile: frozenset[str]
    #: Set where the files of tasks are items, too.
    files: Files | None = None

    @property
    def needs_heads(self) -> bool:
        """Whether a listing without results must still name the annotations."""
        return self.kind == "annotation" or self.choice.by_attribute

    def total(self, body: bytes) -> int:
        """Return the server's total of a page, of whatever rows.

        Raises:
            Unreadable: the page can't be parsed.
        """
        try:
            return _PAGE.decode(utf8(body)).total
        except (ValueError, RecursionError) as error:
            raise _unreadable(error) from error

    def lean(self, body: bytes) -> Steps[tuple[int, list[Row]]]:
        """Read the server's total and the rows of a page without results.

        Raises:
            Unreadable: the page can't be parsed.
        """
        return self._page(body, lambda row: self._row(_TASK.decode(row)))

    def whole(self, body: bytes) -> Steps[tuple[int, list[Row]]]:
        """Read the server's total and the rows of a page with results: references carry their documents.

        Raises:
            Unreadable: the page can't be parsed.
        """
        return self._page(body, self._whole)

    def _page(self, body: bytes, read: Callable[[bytes], Row]) -> Steps[tuple[int, list[Row]]]:
        rows: list[Row] = []
        cut = rows_of(body, "tasks")
        try:
            while True:
                row = next(cut)
                rows.append(read(row))
                yield len(row)
        except StopIteration as end:
            rest: bytes = end.value
        except (ValueError, RecursionError) as error:
            raise _unreadable(error) from error
        return self.total(rest), rows

    def annotation(self, body: bytes) -> tuple[Head, Row]:
        """Read the answer for a single annotation.

        Raises:
            Unreadable: it can't be parsed.
        """
        try:
            slices = _SLICES.decode(utf8(body))
            head = _HEAD.decode(body)
            row = self._annotations(head.task or 0, head.updated_at, {}, [head], [slices])
            # One annotation says nothing about the others of its task.
            return head, replace(row, group=None)
        except (ValueError, RecursionError) as error:
            raise _unreadable(error) from error

    def annotations(self, task: int, body: bytes) -> Row:
        """Read the bare list of a task's annotations, of which only the heads are kept.

        Raises:
            Unreadable: it can't be parsed.
        """
        try:
            # Skipped ones are not on it: it does not close the task's group.
            return replace(self._annotations(task, "", {}, _HEADS.decode(utf8(body)), None), group=None)
        except (ValueError, RecursionError) as error:
            raise _unreadable(error) from error

    def _whole(self, raw: bytes) -> Row:
        task = _TASK.decode(raw)
        heads = task.annotations
        if heads is None:
            raise _without_annotations(task)
        if self.kind == "annotation":
            parts = _LIST.decode(_SLICES.decode(raw)["annotations"])
            row = self._annotations(task.id, task.updated_at, fields_of(task), heads, parts)
            return self._with_files(replace(row, created_at=task.created_at), task)
        kept = [head for head in heads if self.choice.reason_against(head) is None]
        return self._with_files(self._task(task, heads, kept, raw), task)

    def _row(self, task: Task) -> Row:
        heads = task.annotations
        if heads is None and self.needs_heads:
            # Taken for "none", it would close the task's group on nothing.
            raise _without_annotations(task)
        if self.kind == "annotation":
            row = self._annotations(task.id, task.updated_at, fields_of(task), heads or [], None)
            return self._with_files(replace(row, created_at=task.created_at), task)
        return self._with_files(self._task(task, heads or [], [], None), task)

    def _with_files(self, row: Row, task: Task) -> Row:
        """Return a row with the files of its task: they come with the first finished item, and leave with the last."""
        if self.files is None:
            return row
        if task.data is NO_DATA:
            # Closed without them, the group would lose all its files.
            return replace(row, group=None)
        files = self.files.refs(self.project, task)
        if row.refs:
            return replace(row, files=files, group=GroupKey(str(task.id)))
        reason = row.others[0].reason if row.others else "its task has no finished annotation"
        return replace(row, lost=tuple(Withdrawal(file.key, reason) for file in files))

    def _task(self, task: Task, heads: list[Head], kept: list[Head], raw: bytes | None) -> Row:
        key = ItemKey("task", self.project, None, None, str(task.id))
        reason = self.choice.reason_against_task(task, heads)
        if reason is not None:
            return Row(task.id, task.updated_at, others=(Withdrawal(key, reason),), created_at=task.created_at)
        document = None if raw is None else self._document(raw, heads, kept)
        fields = {**fields_of(task), "created_at": task.created_at, "updated_at": task.updated_at}
        ref = AnnotationRef(
            key,
            version_of(task.updated_at, task.created_at),
            moment_of(task.updated_at),
            size=None if document is None else len(document),
            fields=details_of(kept, fields) if kept else fields,
            inline=document,
        )
        return Row(task.id, task.updated_at, refs=(ref,), created_at=task.created_at)

    def _document(self, raw: bytes, heads: list[Head], kept: list[Head]) -> bytes:
        slices = _SLICES.decode(raw)
        parts = _LIST.decode(slices["annotations"])
        cut = self.volatile
        if len(kept) == len(heads) and cut.isdisjoint(slices) and all(cut.isdisjoint(part) for part in parts):
            return raw
        chosen = {head.id for head in kept}
        annotations = [_joined(part.items(), cut) for head, part in zip(heads, parts, strict=True) if head.id in chosen]
        replaced = b"[" + b",".join(annotations) + b"]"
        return _joined([(key, replaced if key == "annotations" else value) for key, value in slices.items()], cut)

    def _annotations(
        self, task: int, updated_at: str, fields: Mapping[str, str], heads: list[Head], parts: list[Slices] | None
    ) -> Row:
        group = GroupKey(str(task))
        refs: list[AnnotationRef] = []
        others: list[Withdrawal] = []
        for place, head in enumerate(heads):
            key = ItemKey("annotation", self.project, None, None, str(head.id))
            reason = self.choice.reason_against(head)
            if reason is not None:
                others.append(Withdrawal(key, reason))
                continue
            document = None if parts is None else _joined(parts[place].items(), self.volatile)
            own = {"task": str(task), "created_at": head.created_at, "updated_at": head.updated_at}
            refs.append(
                AnnotationRef(
                    key,
                    version_of(head.updated_at, head.created_at),
                    moment_of(head.updated_at),
                    size=None if document is None else len(document),
                    fields=details_of([head], {**fields, **own}),
                    inline=document,
                    group=group,
                )
            )
        return Row(task, updated_at, tuple(refs), tuple(others), group)


def _joined(items: Iterable[tuple[str, Raw | bytes]], skip: Collection[str] = ()) -> bytes:
    """Return an object made of slices, compact as the server writes it."""
    parts: list[bytes | Raw] = []
    for key, value in items:
        if key not in skip:
            parts += (b"," if parts else b"{", _quoted(key), b":", value)
    return b"".join((*parts, b"}")) if parts else b"{}"


@lru_cache(maxsize=1024)
def _quoted(key: str) -> bytes:
    return _KEY.encode(key)


def _without_annotations(task: Task) -> msgspec.ValidationError:
    return msgspec.ValidationError(f"task {task.id} was served without its annotations")


def _unreadable(error: Exception) -> Unreadable:
    words = "it nests too deeply" if isinstance(error, RecursionError) else str(error)[:200]
    return Unreadable(f"the answer can't be read: {words}")
