"""The zip sink against a dictionary: whatever happens in whatever order, what is published is what was committed."""

import random
import shutil
import tempfile
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncer.model.refs import ItemKey
from tests.support.archives import STEPS, Book, Died, zip_sink
from tests.support.stored import key, partition

#: Half of them in one archive, half in another.
ITEMS = [key(f"item-{number}", project) for number in range(3) for project in ("7", "8")]

puts = st.tuples(
    st.just("put"),
    st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(0, 3), st.booleans()), min_size=1, max_size=5),
)
removes = st.tuples(st.just("remove"), st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3))
others = st.tuples(st.sampled_from(["commit", "commit", "crash", "publish", "publish"]), st.none())
deaths = st.tuples(st.just("die"), st.sampled_from(STEPS))
histories = st.lists(st.one_of(puts, removes, others, deaths), min_size=3, max_size=25)


def document(item: ItemKey, version: int) -> bytes:
    """Return a body; versions differ in length, and the odd ones don't compress."""
    text = f"{item} {version}".encode()
    return random.Random(text).randbytes(300 * version) if version % 2 else text * (1 + version * 40)


def path_of(item: ItemKey, *, moved: bool) -> str:
    """Return one of the two paths that an item may have."""
    return f"{'moved/' if moved else ''}{item.project}-{item.item}.json"


class Play:
    """The sink and a dictionary side by side."""

    def __init__(self, folder: Path, mode: str, limit: int) -> None:
        sink = zip_sink(folder, name="{project}.zip", mode=mode, max_part_size=limit)
        self.book = Book(sink, (partition("7"), partition("8")))
        self.folder, self.mode = folder, mode
        #: Path and body by key: as accepted, committed, published.
        self.now: dict[ItemKey, tuple[str, bytes]] = {}
        self.committed: dict[ItemKey, tuple[str, bytes]] = {}
        self.published: dict[ItemKey, tuple[str, bytes]] = {}

    async def put(self, wanted: list[tuple[ItemKey, int, bool]]) -> None:
        """Write, one document an item, and commit: the engine classifies an item again only after that."""
        chosen = {item: (path_of(item, moved=moved), document(item, version)) for item, version, moved in wanted}
        self.now.update(chosen)
        entries = [
            self.book.entry(item.item, body, path=path, project=item.project) for item, (path, body) in chosen.items()
        ]
        await self.book.write(entries)
        await self.commit()

    async def remove(self, items: list[ItemKey]) -> None:
        """Take items out."""
        await self.book.remove_keys(items)
        for item in items:
            if item in self.committed:
                self.now.pop(item, None)

    async def commit(self) -> None:
        """Seal and commit."""
        await self.book.commit()
        self.committed = dict(self.now)

    async def crash(self) -> None:
        """Die."""
        await self.book.crash()
        self.now = dict(self.committed)

    async def publish(self, die_after: str | None = None) -> None:
        """Publish, or die on the way."""
        await self.commit()
        try:
            await self.book.publish(die_after)
        except Died:
            await self.crash()
            return
        self.published = dict(self.committed)
        self.check()

    def check(self) -> None:
        """Compare what is published with the dictionary."""
        book = self.book
        assert {item: row.path for item, row in book.published.items()} == {
            item: path for item, (path, _) in self.published.items()
        }
        found = book.stored_documents(self.folder)
        for item, row in book.published.items():
            path, body = self.published[item]
            assert row.container in book.containers
            assert row.container.startswith(item.project)
            with zipfile.ZipFile(self.folder / row.container) as archive:
                assert archive.read(path) == body
        if self.mode == "current":
            assert found == {path: [body] for path, body in self.published.values()}
        live = sum(container.live for container in book.containers.values())
        assert live == len(self.published)


@given(
    history=histories,
    mode=st.sampled_from(["current", "current", "append", "delta"]),
    limit=st.sampled_from([1500, 4000, 1 << 30]),
)
async def test_rule_6_and_rule_7_any_history_equals_a_dictionary(
    history: list[tuple[str, Any]], mode: str, limit: int
) -> None:
    """Puts, updates, moves, removals, crashes and deaths inside a publish never change what a publish shows."""
    folder = Path(tempfile.mkdtemp())
    play = Play(folder, mode, limit)
    steps: dict[str, Callable[[Any], Awaitable[None]]] = {"put": play.put, "remove": play.remove, "die": play.publish}
    try:
        for step, detail in [*history, ("publish", None)]:
            if step in steps:
                await steps[step](detail)
            else:
                await getattr(play, step)()
        await play.book.leave()
        assert play.book.lost == 0
        play.check()
    finally:
        await play.book.leave()
        shutil.rmtree(folder)
