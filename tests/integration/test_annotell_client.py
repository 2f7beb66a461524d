"""The vendor's last client of Annotell works against the emulated one: every call that reads, of both APIs."""

import json

from tests.emulators.annotell import AnnotellPlatform
from tests.emulators.kognic import BATCH, PROJECT, TYPE
from tests.support.annotell_client import ask


async def test_it_lists_projects_batches_types_and_inputs() -> None:
    """Projects, batches, types and inputs arrive; the invalidated ones only where they are asked for."""
    async with AnnotellPlatform(3, api="1.0") as platform:
        platform.seed(2, batch="batch-2", kind="lane")
        assert await ask(platform, "projects") == [PROJECT]
        assert await ask(platform, "batches", PROJECT) == [[BATCH, "open"], ["batch-2", "open"]]
        assert await ask(platform, "types", PROJECT) == ["lane", TYPE]
        gone = platform.inputs[0].scene
        platform.world.invalidate(gone)
        found = await ask(platform, "inputs", PROJECT)
        assert [uuid for uuid, _, _ in found] == [each.scene.uuid for each in platform.inputs[1:]]
        assert await ask(platform, "inputs", PROJECT, BATCH, "invalidated") == [
            [gone.uuid, "scene-000001", "invalidated:broken-input"]
        ]
        assert await ask(platform, "by-uuids", found[0][0]) == ["scene-000002"]


async def test_the_documented_recipe_downloads_a_project() -> None:
    """The first API gives contents within, by input, several for several types, none for what is unfinished."""
    async with AnnotellPlatform(4, api="1.0") as platform:
        lanes = platform.world.request(PROJECT, BATCH, "lane")
        platform.world.finish(platform.world.add(lanes, platform.inputs[0].scene))
        platform.world.add(lanes)
        found = await ask(platform, "recipe", PROJECT)
        assert {uuid: [content for _, content in rows] for uuid, rows in found.items()} == platform.contents()
        assert sorted(len(rows) for rows in found.values()) == [1, 1, 1, 2]


async def test_it_downloads_openlabel() -> None:
    """The second API lists pages of links, and gives single documents within."""
    async with AnnotellPlatform(5, page_size=2) as platform:
        expected = {scene: json.loads(document) for scene, document in platform.documents().items()}
        assert await ask(platform, "annotations", PROJECT, TYPE) == expected
        assert await ask(platform, "annotations", PROJECT, TYPE, BATCH) == expected
        scene = platform.inputs[1].scene.uuid
        assert await ask(platform, "single", scene, TYPE) == expected[scene]
        assert platform.traffic.leaked == 0
