"""Which inputs a partition has, in the order of their ids: by the keyset stream, by a dataset's list, or by name.

The stream goes on behind the last id that it is given, so rows that come or go elsewhere move nothing. What it does
when that very input was deleted is not documented: an end is only believed while its last input is still there, else
the listing goes back to an earlier one.
"""

import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import quote

import msgspec

from syncer.model.errors import NotFound, Rejected, Unavailable
from syncer.model.events import Warned
from syncer.sources.clarifai.api import missing
from syncer.sources.clarifai.documents import Input, inputs_of
from syncer.sources.clarifai.listing import READS, Listing
from syncer.sources.clarifai.versions import inputs_of_version

#: Positions that are remembered, to go back to.
ANCHORS = 3
#: How often a stream may lose its place before it is given up.
LOST = 5


class Inputs(msgspec.Struct):
    """The inputs of one partition."""

    listing: Listing
    #: The dataset changed faster than it could be read: absence proves nothing.
    doubtful: bool = False

    async def pages(self, after: Sequence[str], known: Sequence[str] | None = None) -> AsyncGenerator[list[Input]]:
        """Yield inputs behind the last of some positions, in pages; `known`: all ids, where they were listed before.

        Raises:
            PartitionGone: the app or the dataset does not exist any more.
            HttpError: the platform is away.
        """
        if not self.listing.reader.scope.shows_members:
            async for page in self._stream(list(after)):
                yield page
            return
        names = known if known is not None else await self.members()
        last = after[-1] if after else ""
        rest = [Input(name) for name in names if name > last]
        size = self.listing.sizes.rows
        for first in range(0, len(rest), size):
            yield rest[first : first + size]

    async def members(self) -> list[str]:
        """Return the ids of the inputs of a batch that is made of inputs, sorted.

        A dataset's list has offset pages: it is read until two reads agree, which no deletion leaves them to do.
        """
        scope = self.listing.reader.scope
        if scope.kind == "inputs":
            return sorted(scope.values)
        if scope.kind == "version":
            return await inputs_of_version(self.listing.api, self.listing.reader.project, scope.values[0])
        before: frozenset[str] | None = None
        union: set[str] = set()
        for _ in range(READS):
            found = await self._dataset(scope.values[0])
            union |= found
            if found == before:
                return sorted(found)
            before = found
        self.doubtful = True
        self.listing.emit(Warned(f"dataset {scope.name} changes faster than it can be read; nothing is deleted"))
        return sorted(union)

    async def _dataset(self, name: str) -> frozenset[str]:
        path, size = f"{self.listing.path}/datasets/{quote(name, safe='')}/inputs", str(self.listing.sizes.rows)
        found: set[str] = set()
        number = 1
        while rows := await self.listing.read(path, [("page", str(number)), ("per_page", size)], _members):
            found |= {row.id for row in rows}
            number += 1
        return frozenset(found)

    async def _stream(self, anchors: list[str]) -> AsyncGenerator[list[Input]]:
        lost = 0
        # Ids of the last pages: what is listed again after a step back is not handed on again.
        recent: deque[frozenset[str]] = deque(maxlen=ANCHORS)
        while True:
            page = await self._page(anchors[-1] if anchors else "")
            if page:
                fresh = [each for each in page if not any(each.id in ids for ids in recent)]
                recent.append(frozenset(each.id for each in page))
                middle = page[len(page) // 2].id
                anchors = [*anchors, *dict.fromkeys((page[0].id, middle, page[-1].id))][-ANCHORS:]
                if fresh:
                    yield fresh
                    continue
            elif page is not None and (not anchors or await self._is_there(anchors[-1])):
                return
            else:
                anchors.pop()
            lost += 1
            if lost > LOST:
                message = f"app {self.listing.reader.project}: the stream of inputs loses its place again and again"
                raise Unavailable(message, hint="nothing is concluded from such a listing; run again later")

    async def _page(self, last: str) -> list[Input] | None:
        """Return the inputs behind one; None if the platform does not know that one."""
        params = [("per_page", str(self.listing.sizes.rows)), ("order_by_id", "true")]
        path = f"{self.listing.path}/inputs/stream"
        params += [("last_id", last)] if last else []
        try:
            return await self.listing.understood(lambda: self.listing.api.get(path, params), inputs_of)
        except (NotFound, Rejected) as error:
            if last and not await self._is_there(last):
                return None
            if isinstance(error, Rejected):
                raise
            raise missing(f"app {self.listing.reader.project}", error) from error

    async def _is_there(self, name: str) -> bool:
        """Tell whether an input exists.

        Raises:
            PartitionGone: the app does not.
        """
        params = [("ids", name), ("page", "1"), ("per_page", "1")]
        try:
            return bool(
                await self.listing.understood(
                    lambda: self.listing.api.get(f"{self.listing.path}/inputs", params), inputs_of
                )
            )
        except (NotFound, Rejected) as error:
            try:
                await self.listing.api.get(self.listing.path)
            except NotFound as gone:
                raise missing(f"app {self.listing.reader.project}", gone) from error
            return False


def digest_of(names: Sequence[str]) -> str:
    """Return a short name of a set of inputs; of none where it is empty."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _members(body: bytes) -> list[Input]:
    return inputs_of(body, "dataset_inputs")
