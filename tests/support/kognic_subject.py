"""The emulated Kognic and Annotell under the handle that the suite for sources takes."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from msgspec.structs import replace

from syncer.model.refs import Partition
from syncer.ports import Selection, Source, SourcePlugin
from syncer.sources.annotell import PLUGIN as ANNOTELL
from syncer.sources.kognic import PLUGIN as KOGNIC
from tests.emulators.annotell import AnnotellPlatform
from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.world import Input
from tests.support.kognic_source import kognic_source
from tests.support.subjects import Make, Subject


@dataclass
class KognicSubject:
    """Forty scenes with an annotation each; items are scenes. Nothing is withdrawn here: what is taken back is gone."""

    platform: KognicPlatform
    source: Source
    parts: tuple[str, ...]
    project: str = PROJECT

    def live(self) -> set[str]:
        """Return the ids of all finished items."""
        return {each.input.scene.uuid for each in self.platform.world.delivered.values()}

    def finish(self) -> None:
        """Finish one more item."""
        self.platform.world.finish(self.platform.world.add(self._request))

    def change(self, item: str) -> None:
        """Correct an item; one that was withdrawn is put into the request again, and finished."""
        inputs = self.platform.world.of_scene(item)
        scene = self.platform.world.scenes[item]
        self.platform.world.finish(inputs[0] if inputs else self.platform.world.add(self._request, scene))

    def withdraw(self, item: str) -> None:
        """Take a scene out of its request."""
        self.platform.world.delete(self._input(item))

    def delete(self, item: str) -> None:
        """Invalidate a scene."""
        self.platform.world.invalidate(self.platform.world.scenes[item])

    def lose(self) -> None:
        """Delete the project."""
        del self.platform.world.projects[self.project]

    def break_listing(self) -> None:
        """Let a later page of the next listing fail, until `mend`."""
        for route in ("search", "query-inputs"):
            self.platform.faults.add("status", route=route, after=2, times=None, status=503)
        self.platform.faults.add("status", route="contents", times=None, status=503)

    def break_item(self, item: str) -> None:
        """Let an item not be had, until `mend`: neither from storage nor by the routes that carry it within."""
        annotation = self._input(item).annotation
        assert annotation is not None
        annotation.body = b'{"spoiled": NaN}'
        self.platform.faults.add("status", route="storage", match=annotation.uuid, times=None, status=403)
        self.platform.faults.add("status", route="single", match=item, times=None, status=500)

    def mend(self) -> None:
        """End all faults."""
        self.platform.faults.clear()
        for annotation in self.platform.world.delivered.values():
            annotation.body = None

    @property
    def _request(self) -> Any:
        return next(iter(self.platform.world.requests.values()))

    def _input(self, item: str) -> Input:
        return self.platform.world.of_scene(item)[0]


class ByType:
    """A source that is asked for one batch and annotation type, whatever else a selection says."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Yield the partitions of the narrowed selection."""
        narrowed = replace(select, batches=(BATCH,), annotation_types=(TYPE,))
        async for found in self._source.partitions(narrowed):
            yield found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def kognic(
    *, typed: Literal["yes", "empty", "missing"] = "yes", by_type: bool = False, cursors: str = "number", **options: Any
) -> Make:
    """Return a maker of the emulated Kognic.

    `typed`: what its routes with an annotation type are like; `by_type`: one batch and type is selected.
    """

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        platform = KognicPlatform(40, page_size=7, cursors=cursors)
        platform.world.projects[PROJECT].typed = typed
        # A scene that is not finished, and one that was invalidated before anybody looked.
        request = next(iter(platform.world.requests.values()))
        platform.world.add(request)
        platform.world.invalidate(platform.world.add(request).scene)
        async with (
            platform,
            kognic_source(platform, plugin=KOGNIC, limits={"attempts": 2}, **options) as source,
        ):
            wanted = platform.inputs[3]
            chosen = cast("Source", ByType(source)) if by_type else source
            yield KognicSubject(platform, chosen, (wanted.scene.uuid, TYPE) if by_type else ("input", wanted.uuid))

    return make


def annotell(api: Literal["1.0", "1.1"]) -> Make:
    """Return a maker of the emulated Annotell."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        platform = AnnotellPlatform(40, api="1.0" if api == "1.0" else "1.2", page_size=7)
        platform.world.add(next(iter(platform.world.requests.values())))
        plugin: SourcePlugin = ANNOTELL
        async with (
            platform,
            kognic_source(platform, plugin=plugin, api=api, limits={"attempts": 2}) as source,
        ):
            scene = platform.inputs[3].scene.uuid
            yield KognicSubject(platform, source, (scene,) if api == "1.0" else (scene, TYPE))

    return make
