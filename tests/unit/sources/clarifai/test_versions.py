"""Dataset versions: their inputs, from an export that is already there."""

import pytest

from syncer.model.errors import BadBody, HttpError, PartitionGone, SettingsError
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Answer
from tests.emulators.clarifai_store import App
from tests.support.clarifai_source import mirrored
from tests.support.servers import serving


def filled() -> tuple[ClarifaiPlatform, App]:
    """Return a platform with a version of three inputs out of five."""
    platform = ClarifaiPlatform()
    app = platform.store.create_app("cars")
    platform.store.fill(app, 5, 2)
    app.versions |= {"ds1/v1": ["input000001", "input000003", "input000004"], "ds1/v2": None}
    return platform, app


async def test_a_version_is_the_annotations_of_its_inputs() -> None:
    """Whatever the dataset has become: the version's inputs, with what is finished on them now."""
    platform, app = filled()
    async with platform, mirrored(platform, batches=("version=ds1/v1",)) as mirror:
        assert await mirror.sync() == "full"
        assert {key.item.partition(".")[0] for key in mirror.items} == set(app.versions["ds1/v1"] or ())
        platform.store.annotate(app, "input000003")
        assert (await mirror.sync(), len(mirror.items)) == ("full", 7)


async def test_rule_17_nothing_is_exported_on_our_behalf() -> None:
    """A version that nobody exported is a matter of settings: making an export is a write."""
    platform, _ = filled()
    async with platform, mirrored(platform, batches=("version=ds1/v2",)) as mirror:
        with pytest.raises(SettingsError, match="was not exported"):
            await mirror.sync()
        assert not [route for route, _, _ in platform.log if "export" in route]


async def test_a_version_that_is_gone_is_frozen() -> None:
    """A 404 is never an empty version."""
    platform, app = filled()
    async with platform, mirrored(platform, batches=("version=ds1/v1",)) as mirror:
        await mirror.sync()
        app.versions.clear()
        with pytest.raises(PartitionGone):
            await mirror.sync()
        assert len(mirror.items) == 6


async def test_an_export_that_cannot_be_read_lists_nothing() -> None:
    """Something else than an archive of inputs is no version."""
    platform, _ = filled()
    async with platform, mirrored(platform, batches=("version=ds1/v1",)) as mirror:
        platform.fail(Answer(b"not a zip", media_type="application/zip"), "media")
        with pytest.raises(BadBody, match="can't be read"):
            await mirror.sync()


async def test_rule_24_the_key_goes_to_no_other_host() -> None:
    """An export that lies elsewhere is asked for without the key; a loopback address is only ours by configuration."""
    platform, _ = filled()

    async def answer(request: object) -> None:
        raise AssertionError("nobody may come here")

    async with platform, serving(answer) as elsewhere:  # type: ignore[arg-type]  # it never answers
        platform.media_url = elsewhere.url.replace("127.0.0.1", "localhost")
        async with mirrored(platform, batches=("version=ds1/v1",), media_url="https://data.clarifai.com") as mirror:
            with pytest.raises(HttpError):
                await mirror.sync()
        assert not any("Authorization" in request.headers for request in elsewhere.requests)
