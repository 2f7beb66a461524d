"""Reading annotations in groups of inputs, each group complete, whatever comes and goes between two pages.

Pages are offsets: a row that is deleted moves all later ones to the left, one that is added may move them to the
right. So a group is made to fit into one page, which is one moment of the server: first the rows behind the first
nine tenths of a page are asked for, and only if there are none, the page. Whatever is deleted in between can only
move rows into it; for a row to be pushed out of it, a tenth of a page would have to be added. A group that is too
large is cut in halves; an input that is too large by itself is read until two reads agree.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import anyio.to_thread
import msgspec

from syncer.model.errors import BadBody, NotFound, TooLarge
from syncer.model.events import Emit, Warned
from syncer.ports import Response
from syncer.sources.clarifai.api import Api, Params, missing
from syncer.sources.clarifai.codes import MIXED, status_of
from syncer.sources.clarifai.documents import Input, Reader, Unreadable, inputs_of
from syncer.sources.clarifai.rows import Row

R = TypeVar("R")

#: Most inputs of a group, and most characters of their names in a URL.
MOST_INPUTS, MOST_CHARACTERS = 100, 6000
#: Most annotations that are asked for by input and annotation id at once: both stand in the URL.
PAIRS = 64
#: Part of a page that a group may fill, and part that it should fill.
GUARD, AIM = 0.9, 0.5
#: How often something is asked for again that contradicts itself, and how often a large input is read.
TRIES, READS = 3, 6
#: Bytes above which an answer is read in a thread: below, the hop costs more.
THREAD = 200_000
#: Bytes of an answer whose envelope is looked at for a partial success.
HEAD = 512


@dataclass(slots=True)
class Sizes:
    """How many inputs the next group has: as many as leave room in a page."""

    #: Rows of a page.
    rows: int
    inputs: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with as many as there may be: most inputs have few annotations."""
        self.inputs = min(MOST_INPUTS, self.rows)

    @property
    def room(self) -> int:
        """Rows that a group may have so that a page holds it for sure."""
        return max(1, int(self.rows * GUARD))

    def note(self, inputs: int, rows: int) -> None:
        """Learn from a group that came in one page."""
        if inputs >= self.inputs and rows <= self.room * AIM:
            self.inputs = min(MOST_INPUTS, self.inputs * 3 // 2 + 1)

    def too_many(self, inputs: int) -> None:
        """Learn from a group that did not."""
        self.inputs = max(1, min(self.inputs, inputs // 2))


class Group(msgspec.Struct, frozen=True):
    """Some inputs with all their annotations."""

    inputs: Sequence[Input]
    rows: Sequence[Row]
    #: Something may be missing: absence proves nothing.
    doubtful: bool = False


@dataclass(slots=True)
class Listing:
    """Reads what one partition has of an app."""

    api: Api
    reader: Reader
    sizes: Sizes
    emit: Emit
    #: The server's clock when it first answered.
    first_date: datetime | None = field(default=None, init=False)
    #: The platform said that an answer is partial.
    partial: bool = field(default=False, init=False)

    @property
    def path(self) -> str:
        """Path of the app."""
        return self.api.path(self.reader.project)

    async def group(self, inputs: Sequence[Input]) -> Group:
        """Return inputs with all their annotations.

        Raises:
            PartitionGone: the app does not exist any more.
            HttpError: the platform is away, or serves nothing that can be read.
        """
        names = [each.id for each in inputs]
        rows = await self._complete(names)
        if rows is None and len(inputs) == 1:
            return await self._large(inputs)
        if rows is None:
            self.sizes.too_many(len(inputs))
            middle = len(inputs) // 2
            first, second = await self.group(inputs[:middle]), await self.group(inputs[middle:])
            return Group(inputs, [*first.rows, *second.rows], first.doubtful or second.doubtful)
        self.sizes.note(len(inputs), len(rows))
        whole = await self.whole(inputs) if self.reader.kind == "input" else inputs
        return Group(whole, rows, self.partial)

    async def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Row]:
        """Return annotations by input and annotation id, as far as there are any.

        Raises:
            PartitionGone, HttpError: as `group`.
        """
        params = [*(("input_ids", name) for name, _ in pairs), *(("ids", each) for _, each in pairs)]
        asked = set(pairs)
        rows = await self._rows([*params, *self._output()], 1, len(pairs))
        return [row for row in rows if (row.input, row.id) in asked]

    async def whole(self, inputs: Sequence[Input]) -> list[Input]:
        """Return inputs with what was served of them; one that does not exist any more is left out."""
        bare = [each.id for each in inputs if each.raw is None]
        if not bare:
            return list(inputs)
        params = [*(("ids", name) for name in bare), ("page", "1"), ("per_page", str(len(bare)))]
        served = {each.id: each for each in await self.read(f"{self.path}/inputs", params, inputs_of)}
        return [found for each in inputs if (found := each if each.raw is not None else served.get(each.id))]

    async def read(self, path: str, params: Params, reading: Callable[[bytes], list[R]]) -> list[R]:
        """Return what an answer holds; one that can't be taken apart is asked for again.

        Raises:
            PartitionGone, HttpError: as `group`.
        """
        try:
            return await self.understood(lambda: self.api.get(path, params), reading)
        except NotFound as error:
            raise missing(f"app {self.reader.project}", error) from error

    async def understood(self, ask: Callable[[], Awaitable[Response]], reading: Callable[[bytes], list[R]]) -> list[R]:
        """Return what an answer holds; one that can't be taken apart is asked for again.

        Raises:
            HttpError: the platform is away, or says nothing that can be read.
        """
        for tried in range(TRIES):
            response = await ask()
            if self.first_date is None:
                self.first_date = response.date
            body = response.body
            status = status_of(body[:HEAD])
            if status is not None and status.number == MIXED and not self.partial:
                self.partial = True
                self.emit(Warned(f"app {self.reader.project}: an answer is partial (code {MIXED}); nothing is deleted"))
            try:
                return await anyio.to_thread.run_sync(reading, body) if len(body) > THREAD else reading(body)
            except Unreadable:
                if tried + 1 == TRIES:
                    raise
        raise AssertionError

    # ------------------------------------------------------------------------------------------- pages

    async def _complete(self, names: Sequence[str]) -> list[Row] | None:
        """Return all rows of a group, None if they are too many for one page."""
        asked = set(names)
        params = [*(("input_ids", name) for name in names), *self.reader.scope.params(), *self._output()]
        try:
            if await self._rows(params, 2, self.sizes.room):
                return None
            rows = await self._rows(params, 1, self.sizes.rows)
        except TooLarge:
            # Half of the inputs may fit into memory.
            if len(names) == 1:
                raise
            return None
        if len(rows) >= self.sizes.rows:
            return None
        self._check(rows, asked)
        return rows

    async def _large(self, inputs: Sequence[Input]) -> Group:
        """Return one input whose annotations fill more than a page.

        Ascending reads lose rows only where others are deleted meanwhile, and then differ from the next read;
        descending ones only where others are added. When both agree, neither lost anything.
        """
        (one,) = inputs
        params = [("input_ids", one.id), *self.reader.scope.params(), *self._output()]
        union: dict[str, Row] = {}
        last = 1
        for _ in range(READS):
            up: dict[str, Row] = {}
            number = 1
            while rows := await self._rows(params, number, self.sizes.rows):
                self._check(rows, {one.id})
                up |= {row.id: row for row in rows}
                last, number = number, number + 1
            down: dict[str, Row] = {}
            for back in range(last, 0, -1):
                down |= {row.id: row for row in await self._rows(params, back, self.sizes.rows)}
            union |= {**up, **down}
            if up.keys() == down.keys():
                union = down
                break
        else:
            self.emit(Warned(f"input {one.id} changes faster than it can be read; nothing of this pass is deleted"))
            return Group(await self._served(inputs), list(union.values()), doubtful=True)
        return Group(await self._served(inputs), list(union.values()), self.partial)

    async def _served(self, inputs: Sequence[Input]) -> Sequence[Input]:
        return await self.whole(inputs) if self.reader.kind == "input" else inputs

    async def _rows(self, params: Params, page: int, size: int) -> list[Row]:
        numbered = [*params, ("page", str(page)), ("per_page", str(size))]
        return await self.read(f"{self.path}/annotations", numbered, self.reader.annotations)

    def _output(self) -> list[tuple[str, str]]:
        """Return the switches for what models made: without the second, their annotations have no data."""
        both = [("list_all_annotations", "true")] if self.reader.choice.list_all else []
        machines = self.reader.choice.list_all or self.reader.scope.of_machines
        return [*both, ("return_model_output", "true")] if machines else []

    def _check(self, rows: Sequence[Row], asked: set[str]) -> None:
        """Refuse an answer to another question: taken for this one, it would show others as deleted."""
        strange = next((row for row in rows if row.input not in asked), None)
        if strange is not None:
            message = f"app {self.reader.project}: annotations of other inputs were served ({strange.input[:80]!r})"
            raise BadBody(message, hint="does a proxy answer from a cache? Nothing is concluded from such an answer")


def cut(inputs: Sequence[Input], sizes: Sizes) -> int:
    """Return how many of some inputs make the next group: as many as fit into a page and a URL."""
    characters = 0
    for number, each in enumerate(inputs[: sizes.inputs]):
        characters += 12 + len(each.id.encode())
        if characters > MOST_CHARACTERS and number:
            return number
    return min(len(inputs), sizes.inputs)
