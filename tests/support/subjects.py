"""Platforms under one handle, so that one suite can put every source through the same life."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from syncer.demo.platform.seeds import Mix
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.errors import NotNow
from syncer.model.refs import Partition
from syncer.ports import Selection, Source
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.emulators.datature import DataturePlatform
from tests.emulators.datature_data import Dataset
from tests.emulators.nexus import PROJECT, NexusPlatform
from tests.support.datature_source import datature_source
from tests.support.nexus_source import nexus_source
from tests.support.studio_source import studio_source


class Subject(Protocol):
    """A platform of forty finished items in one project, and its source."""

    source: Source
    #: Name of the project in a selection.
    project: str
    #: Parts of the name of one document, for `get`.
    parts: tuple[str, ...]

    def live(self) -> set[str]:
        """Return the ids of all finished items."""

    def finish(self) -> None:
        """Finish one more item."""

    def change(self, item: str) -> None:
        """Change a finished item."""

    def withdraw(self, item: str) -> None:
        """Make an item unfinished."""

    def delete(self, item: str) -> None:
        """Delete an item."""

    def lose(self) -> None:
        """Delete the project."""

    def break_listing(self) -> None:
        """Let a later page of the next listing fail, until `mend`."""

    def break_item(self, item: str) -> None:
        """Let an item not be had, until `mend`."""

    def mend(self) -> None:
        """End all faults."""


@dataclass
class MemorySubject:
    """The memory platform."""

    platform: MemoryPlatform
    source: Source
    project: str = "7"
    parts: tuple[str, ...] = ("7", "1")

    def live(self) -> set[str]:
        """Return the ids of all finished items."""
        return {item.key.item for item in self.platform.live()}

    def finish(self) -> None:
        """Finish one more item."""
        self.platform.put(str(len(self.platform.items) + 1))

    def change(self, item: str) -> None:
        """Change an item; one that was withdrawn is finished again."""
        self.platform.put(item, b'{"changed":true}')

    def withdraw(self, item: str) -> None:
        """Make an item unfinished."""
        self.platform.withdraw(item)

    def delete(self, item: str) -> None:
        """Delete an item."""
        self.platform.delete(item)

    def lose(self) -> None:
        """Delete the project."""
        self.platform.lose()

    def break_listing(self) -> None:
        """Let a later page fail."""
        self.platform.fail_listing(3, NotNow("the platform is away"), times=100)

    def break_item(self, item: str) -> None:
        """Let an item not be had."""
        self.platform.fail(item)
        self.platform.spoil(item)

    def mend(self) -> None:
        """End all faults."""
        self.platform.mend()


@dataclass
class StudioSubject:
    """The emulated Label Studio, items being tasks or annotations."""

    platform: LabelStudioPlatform
    source: Source
    granularity: str
    project: str = "1"
    parts: tuple[str, ...] = ("5",)

    def live(self) -> set[str]:
        """Return the ids of all finished items."""
        tasks = list(self.platform.store.tasks.all_of(1))
        if self.granularity == "task":
            return {str(task.id) for task in tasks if task.total_annotations}
        return {str(a.id) for task in tasks for a in task.annotations if not a.was_cancelled}

    def finish(self) -> None:
        """Finish one more item."""
        task = {"data": {"image": "new.png"}, "annotations": [{"result": []}]}
        self.platform.store.import_tasks(self.platform.project, [task])

    def change(self, item: str) -> None:
        """Change an item; one that was withdrawn is finished again."""
        changes = {"result": [{"id": "changed"}], "was_cancelled": False}
        self.platform.store.patch_annotation(self._annotation(item), changes)

    def withdraw(self, item: str) -> None:
        """Make an item unfinished."""
        self.platform.store.cancel(self._annotation(item))

    def delete(self, item: str) -> None:
        """Delete an item."""
        if self.granularity == "task":
            self.platform.store.delete_tasks([int(item)])
        else:
            self.platform.store.delete_annotation(int(item))

    def lose(self) -> None:
        """Delete the project."""
        self.platform.store.delete_project(1)

    def break_listing(self) -> None:
        """Let a later page fail."""
        self.platform.faults.add("status", route="tasks", after=3, times=None, status=503)

    def break_item(self, item: str) -> None:
        """Let an item not be had."""
        number = int(item)
        if self.granularity == "annotation":
            number = self.platform.store.tasks.find(number)[0].id  # type: ignore[index]
        for route in ("tasks", "annotation"):
            self.platform.faults.add("status", route=route, task=number, times=None, status=500)

    def mend(self) -> None:
        """End all faults."""
        self.platform.faults.clear()

    def _annotation(self, item: str) -> int:
        if self.granularity == "annotation":
            return int(item)
        task = self.platform.store.tasks.get(int(item))
        assert task is not None
        return task.annotations[0].id


@dataclass
class DatatureSubject:
    """The emulated Datature Vi, items being annotations or assets."""

    platform: DataturePlatform
    source: Source
    granularity: str
    project: str = "ds_0001"
    parts: tuple[str, ...] = ("ds_0001/asset-00003", "annot-000003")

    @property
    def dataset(self) -> Dataset:
        """The one dataset."""
        return self.platform.datasets[self.project]

    def live(self) -> set[str]:
        """Return the ids of all finished items."""
        assets = self.dataset.finished()
        if self.granularity == "asset":
            return {asset.id for asset in assets}
        return {f"{asset.id}.{each}" for asset in assets for each in asset.annotations}

    def finish(self) -> None:
        """Finish one more item."""
        self.dataset.generate(1, 1)

    def change(self, item: str) -> None:
        """Change an item; one that was withdrawn is finished again."""
        asset = self.dataset.assets[item.partition(".")[0]]
        asset.resource["metadata"]["status"] = "Completed"
        self.dataset.change(next(iter(asset.annotations)))

    def withdraw(self, item: str) -> None:
        """Make an item unfinished."""
        self.dataset.set_status(item.partition(".")[0], "Tofix")

    def delete(self, item: str) -> None:
        """Delete an item."""
        asset, _, annotation = item.partition(".")
        if annotation:
            self.dataset.remove_annotation(annotation)
        else:
            self.dataset.remove_asset(asset)

    def lose(self) -> None:
        """Delete the dataset."""
        del self.platform.datasets[self.project]

    def break_listing(self) -> None:
        """Let a later page of the next listing fail, until `mend`."""
        for route in ("assets", "with_objects"):
            self.platform.faults.add("status", route=route, after=2, times=None, status=503)

    def break_item(self, item: str) -> None:
        """Let an item not be had, until `mend`."""
        asset = self.dataset.assets[item.partition(".")[0]]
        next(iter(asset.annotations.values())).spoil()

    def mend(self) -> None:
        """End all faults."""
        self.platform.faults.clear()
        for asset in self.dataset.assets.values():
            for annotation in asset.annotations.values():
                annotation.spoiled = None


Make = Callable[[], AbstractAsyncContextManager[Subject]]


def memory(*, groups: bool = False, **habits: object) -> Make:
    """Return a maker of the memory platform with some habits; `groups`: items hang together in fours."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        platform = MemoryPlatform(0 if groups else 40)
        for number in range(1, 41 if groups else 1):
            platform.put(str(number), group=f"g{number // 4}")
        platform.context("7", b'{"labels":["car"]}')
        yield MemorySubject(platform, MemorySource(platform, **habits))  # type: ignore[arg-type]

    return make


def studio(granularity: str, **options: Any) -> Make:
    """Return a maker of the emulated Label Studio."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        async with (
            LabelStudioPlatform(40, mix=Mix.finished()) as platform,
            studio_source(
                platform.url, platform.token, granularity=granularity, page_size=7, limits={"attempts": 2}, **options
            ) as source,
        ):
            yield StudioSubject(platform, source, granularity)

    return make


def datature(granularity: str, *, objects: bool = True, **options: Any) -> Make:
    """Return a maker of the emulated Datature Vi; `objects`: assets are served with their annotations, too."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        platform = DataturePlatform(most=7, objects=objects)
        platform.dataset("ds_0001").generate(40, 1)
        platform.dataset("ds_0001").generate(3, 1, status="Annotated")
        async with platform, datature_source(platform, granularity=granularity, **options) as source:
            yield DatatureSubject(platform, source, granularity)

    return make


@dataclass
class NexusSubject:
    """The emulated Datature Nexus."""

    platform: NexusPlatform
    source: Source
    project: str = PROJECT
    parts: tuple[str, ...] = (PROJECT, "annot_00002")

    def live(self) -> set[str]:
        """Return the ids of all finished items."""
        found = self.platform.project
        return {name for name, each in found.annotations.items() if self._asset(name)["status"] == "Completed"}

    def finish(self) -> None:
        """Finish one more item."""
        self.platform.project.generate(1, 1)

    def change(self, item: str) -> None:
        """Change an item; one that was withdrawn is finished again."""
        self._asset(item)["status"] = "Completed"
        self.platform.project.annotations[item]["bound"] = [[0.3, 0.3], [0.4, 0.4]]

    def withdraw(self, item: str) -> None:
        """Make an item unfinished."""
        self._asset(item)["status"] = "Tofix"

    def delete(self, item: str) -> None:
        """Delete an item."""
        del self.platform.project.annotations[item]

    def lose(self) -> None:
        """Delete the project."""
        del self.platform.projects[self.project]

    def break_listing(self) -> None:
        """Let a later page of the next listing fail, until `mend`."""
        self.platform.faults.add("status", route="assets", after=2, times=None, status=503)

    def break_item(self, item: str) -> None:
        """Let an item not be had, until `mend`."""
        self.platform.project.spoiled.add(item)

    def mend(self) -> None:
        """End all faults."""
        self.platform.faults.clear()
        self.platform.project.spoiled.clear()

    def _asset(self, item: str) -> Any:
        return self.platform.project.assets[self.platform.project.annotations[item]["assetId"]]


def nexus(**options: Any) -> Make:
    """Return a maker of the emulated Datature Nexus."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Subject]:
        platform = NexusPlatform(most=7)
        platform.project.generate(40, 1)
        platform.project.generate(3, 1, status="Review")
        async with platform, nexus_source(platform, **options) as source:
            yield NexusSubject(platform, source)

    return make


async def partition_of(subject: Subject) -> Partition:
    """Return the subject's partition."""
    (partition,) = [found async for found in subject.source.partitions(Selection(projects=(subject.project,)))]
    return partition
