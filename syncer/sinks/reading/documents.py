"""Documents of chosen rows: taken in steps of bounded size, and compared with what their rows say."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence

import msgspec
from anyio import to_thread

from syncer.model.entries import Annotation
from syncer.model.errors import DestinationChanged, TooLarge
from syncer.model.rows import ManifestRow
from syncer.ports import OpenDocuments
from syncer.sinks.reading.index import CurrentRows, Mark

#: What items are asked for: by fields of their keys, by the platform's fields, or by a function of the row.
Where = Mapping[str, str | Collection[str]] | Callable[[ManifestRow], bool]

#: Items, and bytes of documents, that are read by one step.
_ITEMS, _BYTES = 64, 8 << 20
#: Rows that are looked at together.
_ROWS = 512


class DiffersError(Exception):
    """What lies there is not what a row says, or what HEAD says of a container."""

    def __init__(self, container: str | None, path: str, what: str) -> None:
        """Keep the container, and what was found in its place."""
        place = " in ".join(part for part in (path, container) if part)
        super().__init__(f"{place} {what}")
        self.container = container


def chooser(where: Where | None) -> Callable[[ManifestRow], bool]:
    """Return what tells whether a row is asked for."""
    if where is None:
        return lambda _: True
    if callable(where):
        return where
    wanted = {name: frozenset([one] if isinstance(one, str) else one) for name, one in where.items()}

    def chosen(row: ManifestRow) -> bool:
        known: Mapping[str, str | None] = {**row.fields, **row.key._asdict()}
        return all(known.get(name) in values for name, values in wanted.items())

    return chosen


class Steps(msgspec.Struct):
    """What is still to be read of a pass, taken in steps."""

    rows: CurrentRows
    chosen: Callable[[ManifestRow], bool]
    #: Where the next row begins, and how many rows are left.
    mark: Mark
    left: int

    async def of(self, container: str | None) -> AsyncGenerator[list[ManifestRow]]:
        """Yield the rows of the next container, in lists that are read together."""
        step: list[ManifestRow] = []
        size = 0
        while self.left > 0 and (found := await self.rows.after(self.mark, container, min(_ROWS, self.left))):
            self.mark = found[-1][0]
            self.left -= len(found)
            for _, row in found:
                if not self.chosen(row):
                    continue
                if step and (len(step) >= _ITEMS or size + row.size > _BYTES):
                    yield step
                    step, size = [], 0
                step.append(row)
                size += row.size
        if step:
            yield step


async def verified(documents: OpenDocuments, rows: Sequence[ManifestRow], largest: int) -> list[Annotation]:
    """Return the documents of some rows of one container, each exactly what its row says.

    Raises:
        DiffersError: one is missing, or is something else.
        TooLarge: one is larger than whoever reads it takes.
    """
    for row in rows:
        if row.size > largest:
            raise TooLarge(f"{row.path} has {row.size:,} bytes, and {largest:,} are taken at most",
                           hint="read with a larger `largest`, or leave it out with `where`")  # fmt: skip
    try:
        bodies = await documents.read(rows, largest)
    except (TooLarge, DestinationChanged) as error:
        raise DiffersError(rows[0].container, rows[0].path, f"or one beside it can't be read: {error}") from error
    return await to_thread.run_sync(_checked, rows, bodies)


def _checked(rows: Sequence[ManifestRow], bodies: Sequence[bytes | None]) -> list[Annotation]:
    found: list[Annotation] = []
    for row, body in zip(rows, bodies, strict=True):
        if body is None:
            raise DiffersError(row.container, row.path, "is missing")
        if len(body) != row.size or hashlib.sha256(body).hexdigest() != row.sha256:
            raise DiffersError(row.container, row.path, "is not what the manifest says")
        found.append(Annotation(row.key, row.version, body, row.fields, row.path))
    return found
