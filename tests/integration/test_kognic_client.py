"""The vendor's own client works against the emulated Kognic: every call that reads, and its ways with tokens."""

import json

import httpx
import pytest
import requests
from kognic.openlabel.models import OpenLabelAnnotation

from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.support.kognic_io import archive, ask, entries

# Calls that the vendor means to take away are those that older scripts make.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")

HABITS = pytest.mark.parametrize("bare", [False, True], ids=["envelope", "bare"])


@HABITS
async def test_it_lists_projects_batches_and_types(bare: bool) -> None:
    """Projects, batches and types arrive as the client's own types, with and without an envelope."""
    async with KognicPlatform(3, bare=bare) as platform:
        platform.seed(2, batch="batch-2", kind="lane")
        platform.seed(1, project="city")
        projects = await ask(platform, lambda client: client.project.get_projects())
        assert [(each.project, each.title) for each in projects] == [
            (PROJECT, "Project highway"),
            ("city", "Project city"),
        ]
        batches = await ask(platform, lambda client: client.project.get_project_batches(PROJECT))
        assert [(each.batch, each.status.value) for each in batches] == [(BATCH, "open"), ("batch-2", "open")]
        assert await ask(platform, lambda client: client.project.get_annotation_types(PROJECT)) == ["lane", TYPE]
        assert await ask(platform, lambda client: client.project.get_annotation_types(PROJECT, BATCH)) == [TYPE]


@pytest.mark.parametrize("links", ["goog", "opaque"])
async def test_it_downloads_a_project(links: str) -> None:
    """Annotations arrive over several pages, each with its document, no credential goes to storage, links hold."""
    async with KognicPlatform(8, page_size=3, links=links) as platform:
        platform.seed(2, batch="batch-2")
        everything = await ask(platform, lambda client: list(client.annotation.get_project_annotations(PROJECT, TYPE)))
        assert {each.scene_uuid: each.content for each in everything} == _parsed(platform)
        assert len(everything) == 10
        one = await ask(
            platform, lambda client: list(client.annotation.get_project_annotations(PROJECT, TYPE, "batch-2"))
        )
        assert [each.scene_uuid for each in one] == [each.scene.uuid for each in platform.inputs[8:]]
        assert (platform.traffic.leaked, platform.traffic.requests["search"]) == (0, 4 + 1)


async def test_it_turns_cuboids() -> None:
    """The flag for ISO 8855 goes with every page, and the documents differ from the others."""
    async with KognicPlatform(5, page_size=2) as platform:
        found = await ask(
            platform,
            lambda client: list(client.annotation.get_project_annotations(PROJECT, TYPE, iso_rotated_cuboids=True)),
        )
        assert {each.scene_uuid: each.content for each in found} == _parsed(platform, iso=True)
        assert _parsed(platform, iso=True) != _parsed(platform)
        assert all("useDefaultCartesian=true" in line.query for line in platform.traffic.log if line.route == "search")


@HABITS
async def test_it_gets_single_annotations(bare: bool) -> None:
    """One annotation is had by scene and type, by scene, by input and by its id; a judgement by its id alone."""
    async with KognicPlatform(3, bare=bare) as platform:
        wanted = platform.inputs[1]
        scene, document = wanted.scene.uuid, json.loads(platform.document(wanted.annotation))
        assert wanted.annotation is not None
        found = await ask(platform, lambda client: client.annotation.get_annotation(scene, TYPE))
        assert (found.scene_uuid, found.content) == (scene, document)
        (of_scene,) = await ask(platform, lambda client: client.annotation.get_annotations_for_scene(scene))
        of_input = await ask(platform, lambda client: client.annotation.get_annotation_for_input(wanted.uuid))
        assert of_scene.content == of_input.content == document
        assert (of_input.input_uuid, of_input.request_uid) == (wanted.uuid, "req-0001")
        judged = platform.world.judge(wanted)
        number = wanted.annotation.uuid
        by_id = await ask(platform, lambda client: client.annotation.get_annotation_by_id(number))
        assert (by_id.content, by_id.is_preliminary) == (document, False)
        assert (await ask(platform, lambda client: client.annotation.get_annotation_by_id(judged.uuid))).is_preliminary
        with pytest.raises(requests.HTTPError, match="404"):
            await ask(platform, lambda client: client.annotation.get_annotation("no-such-scene", TYPE))


@HABITS
async def test_it_asks_for_inputs_scenes_and_requests(bare: bool) -> None:
    """Inputs of both kinds, scenes and requests arrive; the invalidated ones only where they are asked for."""
    async with KognicPlatform(5, page_size=2, bare=bare) as platform:
        project = platform.world.projects[PROJECT]
        gone = platform.inputs[0].scene
        platform.world.invalidate(gone, "duplicate")
        inputs = await ask(platform, lambda client: list(client.input.query_inputs(project=PROJECT)))
        assert [each.uuid for each in inputs] == [each.uuid for each in platform.inputs[1:]]
        entries_ = await ask(platform, lambda client: list(client.input.get_inputs(PROJECT, include_invalidated=True)))
        assert [(each.scene_uuid, each.status.value) for each in entries_] == [(gone.uuid, "invalidated:duplicate")]
        valid = await ask(platform, lambda client: list(client.input.get_inputs(PROJECT)))
        assert len(valid) == 4
        scenes = await ask(platform, lambda client: client.scene.get_scenes_by_uuids([valid[0].scene_uuid]))
        assert scenes[0].external_id == "scene-000002"
        (asked,) = await ask(
            platform,
            lambda client: client.request.get_requests(project_id=project.id, include_input_progress_counts=True),
        )
        assert asked.input_progress_counts.completed == 4
        rows = await ask(
            platform, lambda client: list(client.input.get_request_inputs(request_id=asked.id, page_size=2))
        )
        assert [row.last_completed_annotation_id for row in rows[1:]] == [
            each.annotation.uuid for each in platform.inputs[1:] if each.annotation
        ]
        assert rows[0].last_completed_annotation_id is None


async def test_it_refreshes_its_token() -> None:
    """A token near its end is refreshed; where refreshing is refused, the client asks with its secret again."""
    async with KognicPlatform(1, lifetime=30) as platform:
        await ask(platform, lambda client: client.project.get_projects(), write_workspace_id="x")
        assert platform.auth.grants == {"client_credentials": 1, "refresh_token": 1}
        platform.auth.refreshing = False
        await ask(platform, lambda client: client.project.get_projects(), write_workspace_id="x")
        assert platform.auth.grants == {"client_credentials": 3, "refresh_token": 1, "refused": 1}


async def test_its_documents_are_openlabel() -> None:
    """The emulated documents of both frames parse as the vendor's own models."""
    async with KognicPlatform(2, size=20_000) as platform:
        for iso in (False, True):
            for document in platform.documents(iso=iso).values():
                OpenLabelAnnotation.model_validate_json(document)
                assert 19_000 < len(document) < 21_000


async def test_the_documented_recipe_makes_an_archive() -> None:
    """The zip example of the vendor's documentation runs, and its archive holds a document for each scene."""
    async with KognicPlatform(5, page_size=2) as platform:
        data = await ask(platform, lambda client: archive(client, PROJECT, BATCH, TYPE))
        assert entries(data) == {f"{scene}.json": value for scene, value in _parsed(platform).items()}


async def test_it_dies_of_a_link_that_ran_out() -> None:
    """One expired link ends the vendor's whole listing: what this project was made to do better."""
    async with KognicPlatform(3, link_seconds=-1) as platform:
        with pytest.raises(Exception, match="400"):
            await ask(platform, lambda client: list(client.annotation.get_project_annotations(PROJECT, TYPE)))
        assert platform.traffic.stale == 1


async def test_storage_is_an_origin_of_its_own() -> None:
    """Storage refuses a credential, a forged and an expired link, and serves ranges, gzip and a digest."""
    async with KognicPlatform(2, size=5000) as platform, httpx.AsyncClient() as client:
        annotation = platform.inputs[0].annotation
        assert annotation is not None
        document = platform.document(annotation)
        link, ends = platform.site.link(annotation)
        assert link.startswith(platform.storage_url)
        assert ends > annotation.created
        plain = await client.get(link, headers={"Accept-Encoding": "identity"})
        assert (plain.content, plain.headers["content-length"]) == (document, str(len(document)))
        packed = await client.get(link)
        assert (packed.content, packed.headers["content-encoding"]) == (document, "gzip")
        assert int(packed.headers["content-length"]) < len(document) / 2
        rest = {"Accept-Encoding": "identity", "Range": "bytes=4000-", "If-Range": plain.headers["etag"]}
        part = await client.get(link, headers=rest)
        assert (part.status_code, part.content) == (206, document[4000:])
        assert (await client.get(link, headers={"Authorization": "Bearer x"})).status_code == 400
        assert (await client.get(link.replace("Signature=", "Signature=f"))).status_code == 403
        platform.habits.dead_links = 1
        dead, _ = platform.site.link(annotation)
        assert (await client.get(dead)).status_code == 400
        assert "ExpiredToken" in (await client.get(dead)).text
        platform.world.invalidate(platform.inputs[0].scene)
        assert (await client.get(link)).status_code == 404
        traffic = platform.traffic
        assert (traffic.leaked, traffic.stale, traffic.connections["storage"], traffic.connections["api"]) == (
            1,
            2,
            1,
            0,
        )


def _parsed(platform: KognicPlatform, *, iso: bool = False) -> dict[str, object]:
    return {scene: json.loads(document) for scene, document in platform.documents(iso=iso).items()}
