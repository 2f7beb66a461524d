"""The same labels for code without an event loop: a training job is a `for` loop in a worker process.

One thread with an event loop of its own does the reading, and reads ahead while the caller computes. It belongs to the
process that opened it: after a fork each worker opens its own.
"""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from syncer.app.labels import Labels
from syncer.model.entries import Annotation
from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow
from syncer.sinks.reading.documents import Where
from syncer.sinks.reading.grouped import grouped

T = TypeVar("T")

#: Rows that are handed over at once.
_ROWS = 500


class BlockingLabels:
    """An open destination. Made by `with syncer.read(url) as labels`; see `Labels` for what each call promises."""

    def __init__(self, portal: BlockingPortal, labels: Labels) -> None:
        """Take the thread that reads."""
        self._portal, self._labels, self._process = portal, labels, os.getpid()

    @classmethod
    @contextmanager
    def opened(cls, opening: Callable[[], Awaitable[Labels]]) -> "Iterator[BlockingLabels]":
        """Open labels in a thread of their own."""
        with start_blocking_portal() as portal:
            labels = portal.call(opening)
            try:
                yield cls(portal, labels)
            finally:
                portal.call(labels.close)

    @property
    def url(self) -> str:
        """Where the labels lie, without credentials."""
        return self._labels.url

    @property
    def job(self) -> str:
        """Whose labels these are."""
        return self._labels.job

    @property
    def generation(self) -> int:
        """The generation that is read now; `refresh` moves on to the newest."""
        return self._labels.generation

    def refresh(self) -> bool:
        """Move on to the newest generation, if there is a newer one; tell whether there was."""
        return self._here.call(self._labels.refresh)

    def __len__(self) -> int:
        """Return how many labels there are."""
        return self._here.call(self._labels.count)

    def get(self, label: ItemKey | str) -> Annotation:
        """Return one label, by its key or by its path.

        Raises:
            KeyError: there is none.
        """
        return self._here.call(self._labels.get, label)

    def rows(self, where: Where | None = None) -> Iterator[ManifestRow]:
        """Yield what the manifest says of each label; no document is read."""
        yield from self._flat(grouped(self._labels.rows(where), _ROWS))

    def __iter__(self) -> Iterator[Annotation]:
        """Yield all labels of one generation."""
        return self.items()

    def items(
        self, where: Where | None = None, *, share: tuple[int, int] = (0, 1), whole: bool = True
    ) -> Iterator[Annotation]:
        """Yield labels, each one once; see `Labels.items`."""
        yield from self._flat(self._labels.steps(where, share=share, whole=whole))

    def batches(
        self, size: int, where: Where | None = None, *, share: tuple[int, int] = (0, 1), whole: bool = True
    ) -> Iterator[list[Annotation]]:
        """Yield the same in lists of `size`; the last one may be shorter."""
        yield from self._taken(self._labels.batches(size, where, share=share, whole=whole))

    def changes(self, since: int | str) -> Iterator[ManifestRow]:
        """Yield what leads from a former generation (or snapshot) to this one."""
        yield from self._flat(grouped(self._labels.changes(since), _ROWS))

    @property
    def _here(self) -> BlockingPortal:
        if os.getpid() != self._process:
            message = "these labels were opened by another process: a worker opens its own, with `syncer.read`"
            raise RuntimeError(message)
        return self._portal

    def _flat(self, steps: AsyncGenerator[Sequence[T]]) -> Iterator[T]:
        for step in self._taken(steps):
            yield from step

    def _taken(self, steps: AsyncGenerator[T]) -> Iterator[T]:
        portal = self._here
        try:
            while (step := portal.call(_next, steps)) is not None:
                yield step
        finally:
            portal.call(steps.aclose)


async def _next(steps: AsyncGenerator[T]) -> T | None:
    return await anext(steps, None)
