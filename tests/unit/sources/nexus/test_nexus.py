"""Datature Nexus: what a pass asks, which assets count, what is said when something is wrong."""

import json

import pytest

from syncer.model.errors import PermissionRefused, SettingsError, UnknownName
from syncer.ports import Selection
from tests.emulators.nexus import KEY, PROJECT, NexusPlatform, NexusProject
from tests.support.nexus_source import mirrored, nexus_source
from tests.support.studio_source import partitions_of


async def test_many_assets_are_one_request() -> None:
    """Annotations of a hundred assets come at once; assets of other statuses are not asked for at all."""
    async with NexusPlatform() as platform, mirrored(platform) as mirror:
        platform.project.generate(150, 2)
        platform.project.generate(5, 2, status="Review")
        assert await mirror.sync() == "full"
        assert (platform.asked.count("assets"), platform.asked.count("annotations")) == (1, 2)
        assert len(mirror.items) == 300
        assert sum(page.filtered for page in mirror.pages) == 10


async def test_documents_are_exact_and_versioned_by_their_bytes() -> None:
    """What is stored is what the list serves, attributes included; without them it is another document."""
    async with NexusPlatform() as platform:
        platform.project.generate(2, 1)
        for attributes in (True, False):
            async with mirrored(platform, attributes=attributes) as mirror:
                await mirror.sync()
                stored = {key.item: item.data for key, item in mirror.items.items()}
                names = platform.project.annotations
                assert stored == {name: platform.project.row(name, attributes=attributes) for name in names}


async def test_a_group_is_a_batch() -> None:
    """A group of assets is listed by the platform's own filter; groups are in the table and in the selection."""
    async with NexusPlatform() as platform:
        platform.project.generate(3, 1, group="east")
        platform.project.generate(4, 1, group="west & north")
        async with mirrored(platform, "west & north") as mirror:
            await mirror.sync()
            assert len(mirror.items) == 4
            source = mirror.source
            assert [row["batch"] for row in await source.batches(PROJECT)] == ["east", "west & north"]
            chosen = await partitions_of(source, PROJECT, batches=("*",))
            assert [each.key.batch for each in chosen] == ["east", "west & north"]
            with pytest.raises(UnknownName):
                await partitions_of(source, PROJECT, batches=("south",))


async def test_any_annotated_asset_counts_for_teams_without_review() -> None:
    """`any_annotated` takes every status, `statuses` those that it names."""
    async with NexusPlatform() as platform:
        platform.project.generate(3, 1)
        platform.project.generate(4, 1, status="Annotated")
        for options, count in (({"any_annotated": True}, 7), ({"statuses": ["Annotated"]}, 4)):
            async with mirrored(platform, **options) as mirror:
                await mirror.sync()
                assert len(mirror.items) == count


async def test_a_place_that_lapsed_is_begun_anew() -> None:
    """Where the token of an interrupted pass is refused, the pass begins again and skips nothing."""
    async with NexusPlatform(most=5) as platform, mirrored(platform) as mirror:
        platform.project.generate(20, 1)
        assert await mirror.sync(stop_after=4) is None
        platform.faults.add("status", route="assets", status=400)
        assert await mirror.sync() == "full"
        assert len(mirror.items) == 20


async def test_named_items_and_windows_prove_nothing() -> None:
    """Items by id are listed; such a pass ends as a delta."""
    async with NexusPlatform() as platform, mirrored(platform) as mirror:
        platform.project.generate(4, 1)
        select = Selection(projects=(PROJECT,), items=("annot_00004", "nope"))
        assert await mirror.sync(select=select) == "delta"
        assert {key.item for key in mirror.items} == {"annot_00004"}
        assert {key.item for key in mirror.owed} == {"nope"}


async def test_projects_are_found_by_id_name_and_glob() -> None:
    """One list serves all; context keeps no counters."""
    async with NexusPlatform() as platform, nexus_source(platform) as source:
        platform.projects["proj_0002"] = NexusProject("proj_0002")
        for names, found in (
            (("proj_0002",), ["proj_0002"]),
            (("Project proj_0001",), ["proj_0001"]),
            (("proj_*",), ["proj_0001", "proj_0002"]),
            ((), ["proj_0001", "proj_0002"]),
        ):
            assert [each.key.project for each in await partitions_of(source, *names)] == found
        (partition, _) = await partitions_of(source)
        (context,) = [ref async for ref in source.context(partition)]
        assert json.loads(context.inline or b"").keys() >= {"tags", "groups", "type"}
        assert b"statistic" not in (context.inline or b"")


async def test_the_key_goes_into_its_header_alone() -> None:
    """Every request carries the key as the vendor's client sends it; a wrong one is a matter of permission."""
    async with NexusPlatform() as platform:
        async with nexus_source(platform) as source:
            assert (await source.whoami())["workspace"] == "ws_1"
            assert all(headers["Secret-Key"] == KEY for headers in platform.headers)
        async with nexus_source(platform, token="a wrong secret key") as source:
            with pytest.raises(PermissionRefused) as caught:
                await source.projects()
            assert "a wrong secret key" not in f"{caught.value}{caught.value.hint}"
        for key in ("", "line\nbreak"):
            async with nexus_source(platform, token=key) as source:
                with pytest.raises(SettingsError):
                    await source.projects()


@pytest.mark.parametrize("parts", [(), (PROJECT,), (PROJECT, "nope"), ("../x", "annot_00002"), (PROJECT, "a/../b")])
async def test_wrong_parts_are_a_matter_of_settings(parts: tuple[str, ...]) -> None:
    """Too few, unknown ones, and such that would leave their place in the path."""
    async with NexusPlatform() as platform, nexus_source(platform) as source:
        platform.project.generate(1, 1)
        assert (await source.get((PROJECT, "annot_00002"))).data == platform.project.row("annot_00002", attributes=True)
        with pytest.raises(SettingsError):
            await source.get(parts)
