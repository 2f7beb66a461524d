"""What a live Kognic may do, and the vendor's own client breaks on: changes under a listing, odd pages, new words."""

from pathlib import Path
from typing import Any, Self

import pytest

from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.answers import Answer, Call
from tests.emulators.kognic.site import Site
from tests.support.exporting import same_documents
from tests.support.kognic_export import HASTY, Exporter, named, numbers


class Restless(KognicPlatform):
    """A platform where something happens behind each page of the listing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: What happens after the n-th page.
        self.events: list[Any] = []

    async def __aenter__(self) -> Self:
        routes = []
        for route in self.routes:
            kept = route.handler

            def handler(site: Site, call: Call, kept: Any = kept) -> Answer:
                answer: Answer = kept(site, call)
                if call.route == "search" and self.events:
                    self.events.pop(0)()
                return answer

            routes.append(type(route)(route.method, route.template, route.name, handler))
        self.routes = tuple(routes)
        await super().__aenter__()
        return self


async def test_corrections_and_arrivals_while_it_is_listed(tmp_path: Path) -> None:
    """What is corrected or delivered while the listing is read is there with its newest version, after one more run."""
    async with Restless(30, page_size=10) as platform:
        world, inputs = platform.world, platform.inputs
        platform.events = [
            lambda: [world.correct(inputs[2]), world.correct(inputs[25])],
            lambda: world.finish(world.add(inputs[0].request)),
        ]
        exporter = Exporter(tmp_path, platform)
        first = (await exporter.export("out.zip")).ok()
        assert numbers(first, "owed", "deleted") == (0, 0)
        (await exporter.export("out.zip")).ok()
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        assert len(platform.documents()) == 31


async def test_invalidations_while_it_is_listed(tmp_path: Path) -> None:
    """A scene that is invalidated between its listing and its download is gone, and not owed for ever."""
    async with Restless(30, page_size=10) as platform:
        platform.events = [lambda: platform.world.invalidate(platform.inputs[29].scene)]
        exporter = Exporter(tmp_path, platform)
        platform.faults.add("latency", route="storage", seconds=0.02, times=None)
        await exporter.export("out.zip")
        done = (await exporter.export("out.zip")).ok()
        assert numbers(done, "owed") == (0,)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        assert len(platform.documents()) == 29


async def test_empty_pages_are_not_the_end(tmp_path: Path) -> None:
    """A page without rows, but with a cursor, is passed over."""
    async with KognicPlatform(25, page_size=10, hollow=True) as platform:
        exporter = Exporter(tmp_path, platform)
        assert numbers((await exporter.export("out.zip")).ok(), "stored", "owed") == (25, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


async def test_a_listing_that_runs_in_a_circle_is_given_up(tmp_path: Path) -> None:
    """A page that names itself as the next one ends the run, instead of being read for ever, and deletes nothing."""
    async with KognicPlatform(25, page_size=10) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        before = exporter.documents("out.zip")
        platform.habits.stuck = True
        ended = await exporter.export("out.zip", *HASTY)
        assert ended.code == 75, ended.err
        assert platform.traffic.requests["search"] < 20
        assert exporter.documents("out.zip") == before


async def test_words_and_fields_that_are_new_are_taken_as_they_are(tmp_path: Path) -> None:
    """Statuses that nobody has heard of break no listing: they are shown, and what is delivered is exported."""
    async with KognicPlatform(3) as platform:
        platform.batch().status = "paused-by-robot"
        platform.world.projects[PROJECT].status = "hibernating"
        platform.inputs[1].scene.status = "reindexing"
        exporter = Exporter(tmp_path, platform)
        assert numbers((await exporter.export("out.zip")).ok(), "stored") == (3,)
        where = ("--set", f"url={platform.url}")
        assert "hibernating" in (await exporter.run("projects", "kognic", *where)).ok().out
        assert "paused-by-robot" in (await exporter.run("batches", "kognic", PROJECT, *where)).ok().out


@pytest.mark.parametrize("what", [("--batch", BATCH), ("--batch", BATCH, "--annotation-type", TYPE)])
async def test_items_can_be_asked_for_by_name(tmp_path: Path, what: tuple[str, ...]) -> None:
    """`--item` exports some scenes, and no listing is read for them; one that does not exist is named."""
    async with KognicPlatform(20, page_size=5) as platform:
        exporter = Exporter(tmp_path, platform)
        some = [platform.inputs[place].scene.uuid for place in (3, 17)]
        items = [word for scene in some for word in ("--item", scene)]
        ended = (await exporter.export("out.zip", *items, what=("--project", PROJECT, *what))).ok()
        assert numbers(ended, "stored", "deleted") == (2, 0)
        expected = named({scene: platform.documents()[scene] for scene in some})
        same_documents(exporter.documents("out.zip"), expected)
        assert platform.traffic.requests["search"] == 0


@pytest.mark.parametrize("gzip", [False, True])
async def test_large_documents_go_on_where_they_broke(tmp_path: Path, gzip: bool) -> None:
    """A document of some megabytes whose body is cut is completed, and is what the platform has to the byte."""
    async with KognicPlatform(3, size=4_000_000, gzip=gzip) as platform:
        annotation = platform.inputs[1].annotation
        assert annotation is not None
        platform.faults.add("cut", route="storage", match=annotation.uuid, keep=300_000)
        exporter = Exporter(tmp_path, platform)
        assert numbers((await exporter.export("out.zip")).ok(), "stored", "owed") == (3, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))
        statuses = [line.status for line in platform.traffic.log if annotation.uuid in line.path]
        assert len(statuses) == 2
        if not gzip:
            assert statuses == [200, 206]


async def test_two_projects_with_one_token(tmp_path: Path) -> None:
    """Any number of projects and batches is read with one token."""
    async with KognicPlatform(3) as platform:
        for number in range(4):
            platform.seed(3, project=f"city-{number}", batch=f"b{number}")
        exporter = Exporter(tmp_path, platform)
        ended = await exporter.export("out/", what=("--project", "*", "--batch", "*", "--annotation-type", "*"))
        assert numbers(ended.ok(), "stored") == (15,)
        assert platform.auth.grants == {"client_credentials": 1}
