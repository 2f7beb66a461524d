"""Clarifai through the command line: export, changes, deletions, batches, and what goes wrong."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Answer, gateway, page, refusal
from tests.emulators.clarifai_store import PENDING, App, Store, frames, mask
from tests.support.clarifai_desk import Desk, counts, in_thread


class Moving:
    """The platform's clock: as far behind the real one as a test says."""

    def __init__(self) -> None:
        """Begin a week ago."""
        self.behind = timedelta(days=7)

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) - self.behind


@pytest.fixture
def clock() -> Moving:
    """Return the platform's clock."""
    return Moving()


@pytest.fixture
def desk(
    tmp_path: Path, clock: Moving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    """Sit down in front of an app with 200 inputs and 1,000 annotations that are a day old."""
    platform = ClarifaiPlatform(Store(now=clock))
    platform.store.fill(platform.store.create_app("cars"), 200, 5)
    clock.behind -= timedelta(days=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    with in_thread(platform):
        monkeypatch.setenv("CLARIFAI_API_BASE", platform.url)
        monkeypatch.setenv("CLARIFAI_PAT", platform.key)
        monkeypatch.setenv("CLARIFAI_USER_ID", "acme")
        yield Desk(tmp_path, platform, capsys)


def app_of(desk: Desk) -> App:
    """Return the app."""
    return desk.platform.store.apps["cars"]


def expected(app: App) -> set[str]:
    """Return the names of the documents of all finished annotations."""
    return {f"{name}.{each}.json" for (name, each), found in app.annotations.items() if found.code != PENDING}


def follow(desk: Desk, clock: Moving, inputs: int, requests: int) -> None:
    """Export an app with five annotations an input, and follow it; count requests."""
    app, store, dice = app_of(desk), desk.platform.store, random.Random(7)
    first = counts(desk.export().ok())
    assert (first["stored"], first["requests"]) == (5 * inputs, requests)
    assert set(desk.documents()) == expected(app)
    clock.behind -= timedelta(hours=3)
    keys = dice.sample(list(app.annotations), 26)
    for key in keys[:20]:
        store.edit(app, key)
    for number in range(10):
        store.annotate(app, f"input{number + 1:06d}")
    for key in keys[20:25]:
        store.delete(app, key)
    store.set_status(app, keys[25], PENDING)
    second = counts(desk.export().ok())
    assert (second["stored"], second["updated"], second["withdrawn"], second["deleted"]) == (30, 20, 1, 0)
    # The app, its concepts (a page and its end), the count of inputs, two searches, and one list of what changed.
    assert (second["requests"], desk.platform.requests["annotations"]) == (7, 1)
    clock.behind -= timedelta(hours=3)
    third = counts(desk.export().ok())
    # The overlap shows them once more; nothing is fetched again.
    assert (third["listed"], third["unchanged"], third["requests"]) == (31, 30, 6)
    fourth = counts(desk.export("out.zip", "--full").ok())
    assert (fourth["deleted"], fourth["requests"]) == (5, requests)
    # A withdrawn annotation stays, unless it is asked for otherwise.
    assert set(desk.documents()) == expected(app) | {"{}.{}.json".format(*keys[25])}


def test_an_app_is_exported_and_followed(desk: Desk, clock: Moving) -> None:
    """Everything first; then edits, new ones and a withdrawal in a handful of requests; deletions with --full."""
    follow(desk, clock, 200, 11)


@pytest.mark.slow
def test_fifty_thousand_annotations_are_followed(desk: Desk, clock: Moving) -> None:
    """10,000 inputs take 216 requests: app 1, concepts 2, count 1, inputs 10 + 2, and two for each hundred inputs."""
    clock.behind += timedelta(days=1)
    desk.platform.store.fill(app_of(desk), 9_800, 5)
    clock.behind -= timedelta(days=1)
    follow(desk, clock, 10_000, 216)


def test_documents_are_what_was_served(desk: Desk) -> None:
    """Video frames and masks arrive to the byte; `get` prints the same."""
    app, store = app_of(desk), desk.platform.store
    for name, content in (("frame", frames()), ("mask", mask())):
        store.annotate(app, "input000001", content, name=name)
    desk.export("labels/").ok()
    for name in ("frame", "mask"):
        stored = (desk.folder / "labels" / f"input000001.{name}.json").read_bytes()
        assert stored == store.render(app.annotations["input000001", name])
        printed = desk.run("get", "clarifai", "input000001", name, "--set", "app=cars").ok().out
        assert printed.encode() == stored


def test_inputs_with_their_annotations(desk: Desk, clock: Moving) -> None:
    """With granularity `input` a document is an input with its media and its finished annotations, kept in step."""
    app, store = app_of(desk), desk.platform.store
    more = ("--set", "granularity=input")
    assert counts(desk.export("inputs.zip", *more).ok())["stored"] == 200
    document = desk.documents("inputs.zip")["input000007.json"]
    assert document["data"]["image"]["image_info"]["width"] == 640
    assert [each["id"] for each in document["annotations"]] == list(app.by_input["input000007"])
    clock.behind -= timedelta(hours=3)
    edited, *_, withdrawn = app.by_input["input000007"].values()
    store.edit(app, edited.key)
    store.set_status(app, withdrawn.key, PENDING)
    again = counts(desk.export("inputs.zip", *more).ok())
    assert (again["stored"], again["updated"]) == (1, 1)
    document = desk.documents("inputs.zip")["input000007.json"]
    assert [each["id"] for each in document["annotations"]] == list(app.by_input["input000007"])[:-1]
    assert document["annotations"][0] == json.loads(store.render(edited))


def test_batches_are_parts_of_an_app(desk: Desk) -> None:
    """Datasets, tasks, inputs, users, workers and model versions: each lists what belongs to it, and nothing else."""
    app, store = app_of(desk), desk.platform.store
    app.datasets |= {"ds1": dict.fromkeys(["input000003", "input000004"]), "ds2": dict.fromkeys(["input000005"])}
    app.tasks["t1"] = "Boxes"
    store.annotate(app, "input000001", name="task", task="t1")
    store.annotate(app, "input000002", name="bob", user="bob")
    store.annotate(app, "input000002", name="machine", model="mv1", trusted=False)
    cases: dict[str, int] = {
        "ds1": 10, "ds*": 15, "task=t1": 1, "task=*": 1, "inputs=input000001,input000003": 11, "users=bob": 1,
        "workers=bob,mv1": 1, "model_versions=mv1": 1,
    }  # fmt: skip
    for number, (batch, items) in enumerate(cases.items()):
        assert counts(desk.export(f"{number}.zip", "--batch", batch).ok())["stored"] == items, batch
    machine = desk.documents("7.zip")
    assert [document["data"]["regions"][0]["value"] for document in machine.values()] == [1]
    ended = desk.export("none.zip", "--batch", "no-such-dataset")
    assert (ended.code, "no-such-dataset" in ended.err) == (Exit.SETTINGS, True)
    table = desk.run("batches", "clarifai", "cars", "-o", "json").ok().json()
    assert [row["id"] for row in table] == ["ds1", "ds2", "task=t1"]
    assert [row["id"] for row in desk.run("projects", "clarifai", "-o", "json").ok().json()] == ["cars"]


def test_a_dataset_follows_its_inputs(desk: Desk, clock: Moving) -> None:
    """An input that joins a dataset brings its old annotations, one that leaves takes them along."""
    app = app_of(desk)
    app.datasets["ds1"] = dict.fromkeys(["input000003", "input000004"])
    assert counts(desk.export("ds.zip", "--batch", "ds1").ok())["stored"] == 10
    clock.behind -= timedelta(hours=3)
    del app.datasets["ds1"]["input000003"]
    app.datasets["ds1"]["input000009"] = None
    again = counts(desk.export("ds.zip", "--batch", "ds1").ok())
    assert (again["stored"], again["deleted"]) == (5, 5)


#: What goes wrong, what the command ends with, and what it says.
TROUBLE: dict[str, tuple[Callable[[ClarifaiPlatform], None], Exit, str]] = {
    "bad key": (lambda each: setattr(each, "key", "another"), Exit.PERMISSION, "11008 CONN_KEY_INVALID"),
    "missing scope": (
        lambda each: setattr(each, "unscoped", frozenset({"annotations"})), Exit.PERMISSION, "11007",
    ),
    "quota spent": (lambda each: each.fail(refusal(11004), "annotations", times=None), Exit.NOT_NOW, "11004"),
    "quota spent, with 200": (
        lambda each: each.fail(refusal(11004, status=200), "annotations", times=None), Exit.NOT_NOW, "plan or quota",
    ),
    "account closed": (lambda each: each.fail(refusal(11000), times=None), Exit.PERMISSION, "closed this account"),
    "maintenance": (lambda each: each.fail(refusal(39997), "annotations", times=None), Exit.NOT_NOW, "maintenance"),
    "gateway": (
        lambda each: each.fail(gateway(14, "upstream away", 500), "annotations", times=None), Exit.NOT_NOW, "upstream",
    ),
    "html": (lambda each: each.fail(page(), "annotations", times=None), Exit.NOT_NOW, "502"),
    "garbage": (
        lambda each: each.fail(Answer(b'{"status":{"code":10000},"annotations":[{"id"'), "annotations", times=None),
        Exit.NOT_NOW, "can't be read",
    ),
    "proxy's 404": (
        lambda each: each.fail(Answer(b"<html>", 404, media_type="text/html"), "annotations", times=None),
        Exit.NOT_NOW, "not in Clarifai's own words",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("trouble", "code", "words"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_named_and_nothing_is_lost(
    desk: Desk, trouble: Callable[[ClarifaiPlatform], None], code: Exit, words: str
) -> None:
    """Each ends with its own code and words; once it is over, the same line goes on to the whole."""
    platform = desk.platform
    key = platform.key
    trouble(platform)
    ended = desk.export()
    assert ended.code == code, ended.err
    assert words in ended.err
    assert key not in ended.err + ended.out
    platform.faults.clear()
    platform.key, platform.unscoped = key, frozenset()
    desk.export().ok()
    assert set(desk.documents()) == expected(app_of(desk))


def test_a_wrong_app_is_a_matter_of_settings(desk: Desk) -> None:
    """An app that there is not ends with 78, and the message names those that there are."""
    ended = desk.export(app="crs")
    assert ended.code == Exit.SETTINGS
    assert "there are: cars" in ended.err


def test_a_deleted_app_is_frozen(desk: Desk) -> None:
    """An app that was exported and is gone: kept and named, exit 3."""
    desk.export().ok()
    before = desk.documents()
    del desk.platform.store.apps["cars"]
    ended = desk.export()
    assert ended.code == Exit.OWING
    assert desk.documents() == before


def test_without_the_search_scope_everything_is_listed(desk: Desk) -> None:
    """A key that may not search still follows an app: it says so, and lists it anew."""
    desk.export().ok()
    desk.platform.unscoped = frozenset({"annotations/searches"})
    app = app_of(desk)
    desk.platform.store.edit(app, next(iter(app.annotations)))
    again = desk.export().ok()
    assert counts(again)["updated"] == 1
    assert "everything is listed instead" in again.err


def test_one_row_that_cannot_be_read_is_owed(desk: Desk) -> None:
    """It is named with exit 3, all others are stored, and it comes once it can be read."""
    app = app_of(desk)
    key = list(app.annotations)[77]
    desk.platform.store.spoiled[key] = b'"spoiled":NaN'
    ended = desk.export()
    assert ended.code == Exit.OWING
    assert (counts(ended)["stored"], counts(ended)["owed"]) == (999, 1)
    desk.platform.store.spoiled.clear()
    desk.export().ok()
    assert set(desk.documents()) == expected(app)
