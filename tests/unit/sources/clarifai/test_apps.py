"""Apps, batches and single items: how they are named, and what a wrong name is answered with."""

import pytest

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, SettingsError, UnknownName
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.ports import Selection, Source
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import refusal
from tests.support.clarifai_direct import direct


def filled() -> ClarifaiPlatform:
    """Return a platform with three apps."""
    platform = ClarifaiPlatform()
    for name in ("boats", "cars", "trucks"):
        app = platform.store.create_app(name)
        platform.store.fill(app, 3, 2)
        app.datasets |= {"day": dict.fromkeys(app.inputs), "night": {}}
    return platform


async def names(
    source: Source, *projects: str, batches: tuple[str, ...] = (), items: tuple[str, ...] = ()
) -> list[str]:
    """Return what a selection yields."""
    select = Selection(projects=projects, batches=batches, items=items)
    return [str(each.key) async for each in source.partitions(select)]


async def test_rule_2_projects_are_apps_and_batches_split_them() -> None:
    """By id, by glob, all; a batch each where batches are named, the whole app where none is."""
    async with direct(filled()) as mirror:
        assert await names(mirror.source, "cars") == ["cars"]
        assert await names(mirror.source, "*s") == ["boats", "cars", "trucks"]
        assert await names(mirror.source) == ["boats", "cars", "trucks"]
        assert await names(mirror.source, "cars", batches=("*",)) == ["cars / day", "cars / night"]
        assert await names(mirror.source, "b*", batches=("day", "users=ann,bob")) == [
            "boats / day", "boats / users=ann,bob",
        ]  # fmt: skip


async def test_unknown_names_come_last_and_all_together() -> None:
    """Apps and batches that there are not: after everything else, named, with what there is."""
    async with direct(filled()) as mirror:
        for projects, batches, unknown in (
            (("vans", "cars"), (), ("vans",)),
            (("cars",), ("dusk", "day"), ("dusk",)),
            (("cars",), ("task=t9",), ("task=t9",)),
        ):
            with pytest.raises(UnknownName) as caught:
                await names(mirror.source, *projects, batches=batches)
            assert caught.value.names == unknown
        with pytest.raises(SettingsError, match="pattern"):
            await names(mirror.source, "cars", batches=("users=*",))
        with pytest.raises(SettingsError, match="annotation type"):
            _ = [each async for each in mirror.source.partitions(Selection(annotation_types=("box",)))]


async def test_named_items_are_listed_alone() -> None:
    """As INPUT/ANNOTATION or as they stand in file names; one that there is not is owed, another name is refused."""
    platform = filled()
    first, second, *_ = platform.store.apps["cars"].annotations
    items = ("/".join(first), ".".join(second), "input000001/ghost")
    async with direct(platform) as mirror:
        assert await mirror.sync(select=Selection(projects=("cars",), items=items)) == "delta"
        assert {key.item for key in mirror.items} == {".".join(first), ".".join(second)}
        assert [key.item for key in mirror.owed] == ["input000001.ghost"]
        with pytest.raises(SettingsError, match="names no annotation"):
            await mirror.sync(select=Selection(projects=("cars",), items=("nonsense",)))
        with pytest.raises(SettingsError, match="of which app"):
            await names(mirror.source, items=items)


async def test_a_list_that_is_refused_for_one_pair_is_split() -> None:
    """Where the platform refuses a whole list for an annotation that is gone, the others still come."""
    platform = filled()
    keys = list(platform.store.apps["cars"].annotations)
    refs = [AnnotationRef(ItemKey("annotation", "cars", None, None, ".".join(key)), "") for key in keys[:3]]
    platform.store.delete(platform.store.apps["cars"], keys[1])
    async with direct(platform) as mirror:
        platform.fail(refusal(24155), "annotations", times=None)
        outcomes = [outcome async for outcome in mirror.source.open(refs)]
        assert [isinstance(outcome, Body) for outcome in outcomes] == [True, False, True]
        gone = outcomes[1]
        assert isinstance(gone, ItemFailed)
        assert gone.gone


async def test_a_deleted_app_takes_no_item_along() -> None:
    """Opened from an app that is gone, an item fails; it does not count as deleted."""
    platform = filled()
    key = ".".join(next(iter(platform.store.apps["cars"].annotations)))
    async with direct(platform) as mirror:
        del platform.store.apps["cars"]
        refs = [AnnotationRef(ItemKey("annotation", "cars", None, None, key), "")]
        (failed,) = [outcome async for outcome in mirror.source.open(refs)]
        assert isinstance(failed, ItemFailed)
        assert not failed.gone


async def test_get_names_what_it_lacks() -> None:
    """Two parts and an app, or three parts; a wrong one is said in words."""
    async with direct(filled(), app="cars") as mirror:
        assert (await mirror.source.get(("input000001", "00000007"))).size > 0
        assert (await mirror.source.get(("boats", "input000001", "00000001"))).size > 0
        for parts in ((), ("input000001",), ("a", "b", "c", "d"), ("input000001", "")):
            with pytest.raises(SettingsError, match="INPUT_ID and ANNOTATION_ID"):
                await mirror.source.get(parts)
        with pytest.raises(SettingsError, match="no annotation ghost"):
            await mirror.source.get(("input000001", "ghost"))
    async with direct(filled()) as mirror:
        with pytest.raises(SettingsError, match="in which app"):
            await mirror.source.get(("input000001", "00000007"))


async def test_concepts_explain_the_labels() -> None:
    """One document of the app's concepts, sorted, as they were served."""
    async with direct(filled()) as mirror:
        (concepts,) = [ref async for ref in mirror.source.context(mirror.partition)]
        assert concepts.key.item == "concepts"
        assert concepts.inline is not None
        assert concepts.inline.startswith(b'[{"id": "car"')
