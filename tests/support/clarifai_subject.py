"""The emulated Clarifai under the handle that the suite for sources takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from syncer.ports import Source
from syncer.sources.clarifai.rows import item_of, parts_of
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import refusal
from tests.emulators.clarifai_store import PENDING, SUCCESS, App, Key
from tests.support.clarifai_source import clarifai_source
from tests.support.subjects import Make, Subject


@dataclass
class ClarifaiSubject:
    """Forty inputs with an annotation each; items are annotations or inputs."""

    platform: ClarifaiPlatform
    source: Source
    granularity: str
    project: str = "cars"
    parts: tuple[str, ...] = ("input000001", "00000001")

    @property
    def app(self) -> App:
        """The one app."""
        return self.platform.store.apps["cars"]

    def live(self) -> set[str]:
        """Return the ids of all finished items."""
        keys = [found.key for found in self.app.annotations.values() if found.code == SUCCESS]
        return {name if self.granularity == "input" else item_of(name, each) for name, each in keys}

    def finish(self) -> None:
        """Finish one more item."""
        store = self.platform.store
        name = store.add_input(self.app).id if self.granularity == "input" else "input000040"
        store.annotate(self.app, name)

    def change(self, item: str) -> None:
        """Change a finished item; one that was withdrawn is finished again."""
        key = self._key(item)
        self.platform.store.edit(self.app, key)
        self.platform.store.set_status(self.app, key, SUCCESS)

    def withdraw(self, item: str) -> None:
        """Make an item unfinished."""
        self.platform.store.set_status(self.app, self._key(item), PENDING)

    def delete(self, item: str) -> None:
        """Delete an item with its input, and with inputs made since: deletions show by their number alone."""
        self.platform.store.delete_input(self.app, self._key(item)[0])
        self.platform.store.delete_input(self.app, "spare")

    def lose(self) -> None:
        """Delete the app."""
        del self.platform.store.apps["cars"]

    def break_listing(self) -> None:
        """Let a later page of the next listing fail, until `mend`."""
        self.platform.fail(refusal(40031), "annotations", after=5, times=None)

    def break_item(self, item: str) -> None:
        """Let an item not be had, until `mend`."""
        self.platform.store.spoiled[self._key(item)] = b'"spoiled":NaN'

    def mend(self) -> None:
        """End all faults."""
        self.platform.faults.clear()
        self.platform.store.spoiled.clear()

    def _key(self, item: str) -> Key:
        if self.granularity == "input":
            return item, next(iter(self.app.by_input[item]))
        key = parts_of(item)
        assert key is not None
        return key


def clarifai(granularity: str, **options: Any) -> Make:
    """Return a maker of the emulated Clarifai."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        platform = ClarifaiPlatform()
        app = platform.store.create_app("cars")
        platform.store.fill(app, 40, 1)
        # An input that nobody annotated: when it goes, it is missed.
        platform.store.add_input(app, "spare")
        more = {"granularity": granularity, "page_size": 8, "app": "cars", **options}
        async with (
            platform,
            clarifai_source(platform.url, platform.key, limits={"attempts": 2}, **more) as source,
        ):
            yield ClarifaiSubject(platform, source, granularity)

    return make
