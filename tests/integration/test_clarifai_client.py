"""The vendor's own client and ours on one platform: equal where it survives, and whole where it does not."""

import json
from collections.abc import Callable

import pytest
from clarifai_grpc.channel.errors import ApiError
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from google.protobuf.json_format import ParseError

from syncer.model.refs import ItemKey
from syncer.sources.clarifai.rows import item_of
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Answer, page, refusal
from tests.emulators.clarifai_store import PENDING, App, frames, mask
from tests.support.clarifai_client import Client, message_of
from tests.support.clarifai_source import mirrored
from tests.support.mirror import Mirror


def filled(inputs: int = 6, each: int = 3) -> tuple[ClarifaiPlatform, App]:
    """Return a platform with boxes, a video frame and a mask, all finished."""
    platform = ClarifaiPlatform()
    app = platform.store.create_app("cars")
    platform.store.fill(app, inputs, each)
    platform.store.annotate(app, "input000001", frames(), name="frame")
    platform.store.annotate(app, "input000002", mask(), name="mask")
    return platform, app


def documents(mirror: Mirror) -> dict[str, bytes]:
    """Return what was exported, by item."""
    return {key.item: item.data for key, item in mirror.items.items()}


@pytest.mark.parametrize("names", [False, True])
async def test_both_read_the_same(names: bool) -> None:
    """Every annotation that the client lists is exported, equal field by field, however enums are spelt."""
    platform, _ = filled()
    platform.store.names = names
    async with platform, mirrored(platform) as mirror:
        theirs = {item_of(each.input_id, each.id): each for each in await Client(platform).annotations(7)}
        await mirror.sync()
        ours = {item: message_of(document) for item, document in documents(mirror).items()}
        assert len(theirs) == 20
        assert ours == theirs


async def test_the_client_reads_every_route_that_we_read() -> None:
    """Apps, the stream of inputs, pairs of ids, datasets, tasks, concepts and a search arrive as its own types."""
    platform, app = filled()
    app.datasets["ds1"] = {"input000002": None, "input000003": None}
    app.tasks["t1"] = "Boxes"
    async with platform:
        client = Client(platform)
        where = client.where
        apps = await client.ask("ListApps", service_pb2.ListAppsRequest(user_app_id=where, page=1, per_page=10))
        assert [each.id for each in apps.apps] == ["cars"]
        stream = service_pb2.StreamInputsRequest(user_app_id=where, per_page=4, last_id="input000002", order_by_id=True)
        answer = await client.ask("StreamInputs", stream)
        assert [each.id for each in answer.inputs] == [f"input{number:06d}" for number in (3, 4, 5, 6)]
        pairs = await client.page(1, 10, ids=["frame", "mask"], input_ids=["input000001", "input000002"])
        assert [each.id for each in pairs.annotations] == ["frame", "mask"]
        assert pairs.annotations[0].data.frames[0].frame_info.time == 2000
        assert pairs.annotations[1].data.regions[0].region_info.mask.image.base64.startswith(b"\x89PNG")
        members = await client.ask(
            "ListDatasetInputs",
            service_pb2.ListDatasetInputsRequest(user_app_id=where, dataset_id="ds1", page=1, per_page=10),
        )
        assert [each.input.id for each in members.dataset_inputs] == ["input000002", "input000003"]
        tasks = await client.ask("ListTasks", service_pb2.ListTasksRequest(user_app_id=where, page=1, per_page=10))
        assert [each.id for each in tasks.tasks] == ["t1"]
        concepts = await client.ask(
            "ListConcepts", service_pb2.ListConceptsRequest(user_app_id=where, page=1, per_page=10)
        )
        assert [each.id for each in concepts.concepts] == ["car", "person"]
        query = resources_pb2.Query(filters=[resources_pb2.Filter(input=resources_pb2.Input(dataset_ids=["ds1"]))])
        search = service_pb2.PostAnnotationsSearchesRequest(
            user_app_id=where,
            searches=[resources_pb2.Search(query=query)],
            pagination=service_pb2.Pagination(page=1, per_page=100),
        )
        hits = (await client.ask("PostAnnotationsSearches", search)).hits
        assert {each.annotation.input_id for each in hits} == {"input000002", "input000003"}


async def test_its_status_filter_is_lost_and_ours_holds() -> None:
    """Asked for finished annotations only, the client is served all of them; the export has the finished ones."""
    platform, app = filled()
    for key in list(app.annotations)[:4]:
        platform.store.set_status(app, key, PENDING)
    async with platform, mirrored(platform) as mirror:
        finished = [status_pb2.Status(code=status_code_pb2.ANNOTATION_SUCCESS)]
        served = (await Client(platform).page(1, 100, statuses=finished)).annotations
        assert len(served) == 20
        await mirror.sync()
        assert len(mirror.items) == 16


async def test_a_deletion_between_pages_costs_it_a_row_and_us_none() -> None:
    """While pages move to the left, the client skips an annotation that is there all the time; the export has it."""
    platform, app = filled()

    def deleting() -> Callable[[str], None]:
        left = list(app.annotations)[:1]

        def drift(route: str) -> None:
            if route == "annotations" and left:
                platform.store.delete(app, left.pop())

        return drift

    async with platform, mirrored(platform, page_size=10) as mirror:
        platform.drift = deleting()
        seen = {(each.input_id, each.id) for each in await Client(platform).annotations(5)}
        assert set(app.annotations) - seen
        platform.drift = deleting()
        await mirror.sync()
        assert {item_of(*key) for key in app.annotations} <= set(documents(mirror))


@pytest.mark.parametrize("answer", [refusal(11005), refusal(40031), refusal(11005, status=200)])
async def test_it_gives_up_at_once_where_we_wait(answer: Answer) -> None:
    """Throttled, or a server that is away for a moment: the client hands the failure over, the export goes on."""
    platform, _ = filled()
    async with platform, mirrored(platform) as mirror:
        platform.fail(answer, "annotations")
        assert (await Client(platform).page(1, 100)).status.code != status_code_pb2.SUCCESS
        platform.faults.clear()
        platform.fail(answer, "annotations", times=2)
        await mirror.sync()
        assert len(mirror.items) == 20


async def test_a_proxy_page_stops_it_and_not_us() -> None:
    """HTML instead of JSON is an exception to the client; the export asks again."""
    platform, _ = filled()
    async with platform, mirrored(platform) as mirror:
        platform.fail(page(), "annotations")
        with pytest.raises(ApiError):
            await Client(platform).page(1, 100)
        platform.faults.clear()
        platform.fail(page(), "annotations")
        await mirror.sync()
        assert len(mirror.items) == 20


async def test_one_bad_row_takes_its_page_from_it_and_one_item_from_us() -> None:
    """A row that breaks the client's parser is owed alone; all others are exported."""
    platform, app = filled()
    key = list(app.annotations)[3]
    platform.store.spoiled[key] = b'"status":{"code":"ANNOTATION_FROM_THE_FUTURE"},"trusted":[]'
    async with platform, mirrored(platform) as mirror:
        with pytest.raises((ParseError, ApiError)):
            await Client(platform).page(1, 100)
        await mirror.sync()
        assert len(mirror.items) == 19
        assert [owed.item for owed in mirror.owed] == [item_of(*key)]


async def test_a_status_of_the_future_is_lost_to_it_and_kept_by_us() -> None:
    """A name of a status that the client does not know becomes nothing; the annotation is exported as it is."""
    platform, app = filled()
    key = list(app.annotations)[3]
    platform.store.spoiled[key] = b'"status":{"code":"ANNOTATION_FROM_THE_FUTURE"}'
    async with platform, mirrored(platform) as mirror:
        theirs = (await Client(platform).page(1, 1, ids=[key[1]], input_ids=[key[0]])).annotations[0]
        assert theirs.status.code == status_code_pb2.ZERO
        await mirror.sync()
        assert len(mirror.items) == 20
        assert b"ANNOTATION_FROM_THE_FUTURE" in documents(mirror)[item_of(*key)]


async def test_values_that_it_changes_are_kept_to_the_byte() -> None:
    """Nine digits of a second, long integers and decimals are what was served; the client's doubles are not."""
    platform, app = filled()
    key = list(app.annotations)[3]
    odd = (
        b'"annotation_info":{"serial":12345678901234567890,"price":1.10},"modified_at":"2026-01-12T10:00:00.123456789Z"'
    )
    platform.store.spoiled[key] = odd
    async with platform, mirrored(platform) as mirror:
        (theirs,) = (await Client(platform).page(1, 1, ids=[key[1]], input_ids=[key[0]])).annotations
        assert int(theirs.annotation_info["serial"]) != 12345678901234567890
        await mirror.sync()
        document = documents(mirror)[item_of(*key)]
        assert odd in document
        assert json.loads(document)["annotation_info"]["serial"] == 12345678901234567890
        stored = mirror.items[ItemKey("annotation", "cars", None, None, item_of(*key))]
        assert "100000.123456789Z" in stored.version
