"""What an emulated Clarifai holds: apps with inputs, annotations, datasets, tasks and concepts, and how they change."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

#: Code of a finished annotation, and of some others.
SUCCESS, PENDING, AWAITING_REVIEW, DENIED = 24150, 24151, 24157, 24158

#: Names of the enum values that responses carry, as some servers spell them.
NAMES = {
    10000: "SUCCESS",
    24150: "ANNOTATION_SUCCESS",
    24151: "ANNOTATION_PENDING",
    24152: "ANNOTATION_FAILED",
    24157: "ANNOTATION_AWAITING_REVIEW",
    24158: "ANNOTATION_REVIEW_DENIED",
    24159: "ANNOTATION_AWAITING_CONSENSUS_REVIEW",
    30000: "INPUT_SUCCESS",
}
CODES = {name: code for code, name in NAMES.items()}

Json = Any
#: Input and annotation id.
Key = tuple[str, str]


@dataclass(slots=True)
class Input:
    """One input, in the order in which it was added."""

    id: str
    data: Json
    created: str
    modified: str

    def body(self) -> Json:
        """Return it as the API does."""
        return {
            "id": self.id, "data": self.data, "created_at": self.created, "modified_at": self.modified,
            "status": {"code": 30000, "description": "Download complete"},
        }  # fmt: skip


@dataclass(slots=True)
class Annotation:
    """One annotation; `content` is everything that is not derived."""

    id: str
    input_id: str
    #: Place in the order of creation.
    place: int
    content: Json
    code: int
    created: str
    modified: str
    trusted: bool = True
    input_level: bool = False
    task: str = ""
    user: str = "acme"
    #: Model version that made it; empty: a person did.
    model: str = ""
    cached: bytes = b""

    @property
    def key(self) -> Key:
        """Input and annotation id."""
        return self.input_id, self.id

    def body(self, *, names: bool) -> Json:
        """Return it as the API does: what is empty or false is left out, as proto3 JSON does."""
        code: Json = NAMES.get(self.code, self.code) if names else self.code
        value: Json = {"id": self.id, "input_id": self.input_id, "data": self.content, "annotation_info": {}}
        if self.model:
            value["worker"] = {"model": {"id": "detector", "model_version": {"id": self.model}}}
            value["model_version_id"] = self.model
        else:
            value["worker"] = {"user": {"id": self.user}}
            value["user_id"] = self.user
        value |= {"status": {"code": code, "description": "Success" if self.code == SUCCESS else "other"}}
        value |= {"created_at": self.created, "modified_at": self.modified}
        for name, filled in (("trusted", self.trusted), ("input_level", self.input_level), ("task_id", self.task)):
            if filled:
                value[name] = filled
        return value


@dataclass(slots=True)
class App:
    """One app. Dictionaries keep the order of creation."""

    id: str
    name: str
    created: str
    inputs: dict[str, Input] = field(default_factory=dict)
    annotations: dict[Key, Annotation] = field(default_factory=dict)
    by_input: dict[str, dict[str, Annotation]] = field(default_factory=dict)
    #: Ids of the inputs of each dataset, in the order of adding.
    datasets: dict[str, dict[str, None]] = field(default_factory=dict)
    #: Inputs of dataset versions that were exported, by `dataset/version`; None: not exported yet.
    versions: dict[str, list[str] | None] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    concepts: list[Json] = field(default_factory=list)


class Store:
    """All apps of one user, and every way in which they change."""

    def __init__(self, user: str = "acme", now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take the owner, and what time it is."""
        self.user = user
        self.apps: dict[str, App] = {}
        #: Spell enums in responses as names.
        self.names = False
        #: What the row of an annotation is spoiled with, as bytes of a member: `"spoiled":NaN`.
        self.spoiled: dict[Key, bytes] = {}
        #: What time it is.
        self.now = now
        self._last = datetime(1970, 1, 1, tzinfo=UTC)
        self._places = 0

    def stamp(self) -> str:
        """Return a time that no other call has returned, with six digits."""
        self._last = max(self.now(), self._last + timedelta(microseconds=1))
        return self._last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # ------------------------------------------------------------------------------------------ adding

    def create_app(self, app: str, name: str = "", concepts: Sequence[str] = ("car", "person")) -> App:
        """Make an app with some concepts."""
        made = self.apps[app] = App(app, name or app.title(), self.stamp())
        made.concepts = [{"id": each, "name": each, "value": 1, "language": "en", "app_id": app} for each in concepts]
        return made

    def add_input(self, app: App, name: str = "", data: Json = None) -> Input:
        """Add an image, or what `data` says."""
        name = name or f"input{len(app.inputs) + 1:06d}"
        image = {
            "image": {
                "url": f"https://example.org/{name}.jpg",
                "image_info": {"width": 640, "height": 480, "format": "JPEG", "color_mode": "RGB"},
            }
        }
        stamp = self.stamp()
        made = app.inputs[name] = Input(name, data or image, stamp, stamp)
        app.by_input.setdefault(name, {})
        return made

    def annotate(self, app: App, input_id: str, content: Json = None, *, name: str = "", code: int = SUCCESS,
                 **more: Any) -> Annotation:  # fmt: skip
        """Add an annotation to an input; a box where `content` does not say what."""
        self._places += 1
        name = name or f"{self._places:08x}"
        stamp = self.stamp()
        made = Annotation(name, input_id, self._places, content or box(self._places), code, stamp, stamp, **more)
        app.annotations[made.key] = app.by_input[input_id][name] = made
        return made

    def fill(self, app: App, inputs: int, each: int) -> None:
        """Add inputs with finished annotations."""
        for _ in range(inputs):
            added = self.add_input(app)
            for _ in range(each):
                self.annotate(app, added.id)

    # ---------------------------------------------------------------------------------------- changing

    def edit(self, app: App, key: Key, content: Json = None) -> None:
        """Change what an annotation says."""
        found = app.annotations[key]
        found.content = content or box(random.Random(found.modified).randrange(10**6))
        self._touch(found)

    def set_status(self, app: App, key: Key, code: int) -> None:
        """Move an annotation to another status."""
        app.annotations[key].code = code
        self._touch(app.annotations[key])

    def delete(self, app: App, key: Key) -> None:
        """Delete an annotation, without a trace."""
        del app.annotations[key], app.by_input[key[0]][key[1]]

    def delete_input(self, app: App, name: str) -> None:
        """Delete an input with its annotations."""
        for found in app.by_input.pop(name).values():
            del app.annotations[found.key]
        del app.inputs[name]
        for members in app.datasets.values():
            members.pop(name, None)

    def _touch(self, found: Annotation) -> None:
        found.modified = self.stamp()
        found.cached = b""

    # ----------------------------------------------------------------------------------------- reading

    def annotations(self, app: App, inputs: Iterable[str] | None = None) -> Iterator[Annotation]:
        """Yield annotations from the oldest to the newest, of some inputs or of all."""
        if inputs is None:
            return iter(app.annotations.values())
        chosen = [found for name in dict.fromkeys(inputs) for found in app.by_input.get(name, {}).values()]
        return iter(sorted(chosen, key=lambda found: found.place))

    def render(self, found: Annotation, *, output: bool = True) -> bytes:
        """Return an annotation as JSON; without `output`, a model's has no data."""
        if found.key in self.spoiled:
            return json.dumps(found.body(names=self.names)).encode()[:-1] + b"," + self.spoiled[found.key] + b"}"
        if found.model and not output:
            return json.dumps({**found.body(names=self.names), "data": {}}).encode()
        if self.names:
            return json.dumps(found.body(names=True)).encode()
        if not found.cached:
            found.cached = json.dumps(found.body(names=False), separators=(",", ":")).encode()
        return found.cached


def box(seed: int) -> Json:
    """Return the data of a box, always the same for a seed."""
    dice = random.Random(seed)
    corners = {name: round(dice.random(), 7) for name in ("top_row", "left_col", "bottom_row", "right_col")}
    concept = {"id": "car", "name": "car", "value": 1, "language": "en", "app_id": "cars", "user_id": "acme"}
    return {
        "regions": [
            {
                "id": f"{seed:016x}", "region_info": {"bounding_box": corners}, "data": {"concepts": [concept]},
                "value": 1,
            }
        ]
    }  # fmt: skip


def frames() -> Json:
    """Return the data of a video frame: its time is a 64-bit integer, which proto3 JSON spells as a string."""
    return {"frames": [{"id": "f1", "frame_info": {"index": 60, "time": "2000", "number": 60}, "data": box(1)}]}


def mask() -> Json:
    """Return the data of a mask, with its pixels as base64."""
    pixels = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    return {"regions": [{"id": "m1", "region_info": {"mask": {"image": {"base64": pixels}}}, "data": {}, "value": 1}]}
