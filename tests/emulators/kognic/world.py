"""What an organisation on Kognic has, and what its people do to it: upload, annotate, correct, invalidate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

#: Statuses of an invalidated scene by the reason that was given for it.
INVALIDATED = {
    "bad-content": "invalidated:broken-input",
    "duplicate": "invalidated:duplicate",
    "incorrectly-created": "invalidated:incorrectly-created",
}

_NAMES = UUID("6f0f5d0e-6a57-4a0b-9e6d-2f6b2f1c7a11")


def name_of(kind: str, number: int) -> str:
    """Return the UUID of the n-th thing of a kind: the same in every run."""
    return str(uuid5(_NAMES, f"{kind}-{number}"))


@dataclass(slots=True)
class Project:
    """A container of batches. `name` is its external id, which the v1 routes use; `id` is what v2 requests use."""

    name: str
    title: str
    id: str
    created: datetime
    #: How the routes with an annotation type answer: as ever, with nothing, or with 404 because types were phased out.
    typed: Literal["yes", "empty", "missing"] = "yes"
    #: The caller may see that it exists, and no more: 403.
    forbidden: bool = False
    status: str = "active"
    batches: dict[str, "Batch"] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """A named group of inputs."""

    project: Project
    name: str
    title: str
    created: datetime
    updated: datetime
    status: str = "open"


@dataclass(slots=True)
class Request:
    """One goal of annotation in a batch."""

    id: str
    uid: str
    batch: Batch
    type: str
    created: datetime
    #: Only flexible workflows list their inputs.
    flexible: bool = True


@dataclass(slots=True)
class Scene:
    """Uploaded sensor data."""

    uuid: str
    external_id: str
    created: datetime
    status: str = "created"
    type: str = "cameras"


@dataclass(slots=True)
class Annotation:
    """A delivered result, or (preliminary) a judgement on the way to one."""

    #: Grows with every delivery; listings are in this order.
    number: int
    uuid: str
    input: "Input"
    created: datetime
    preliminary: bool = False
    #: The document; None: one made from the number.
    body: bytes | None = None


@dataclass(slots=True)
class Input:
    """A scene in a request."""

    #: Grows with every input.
    number: int
    uuid: str
    scene: Scene
    request: Request
    created: datetime
    updated: datetime
    annotation: Annotation | None = None
    #: A correction is under way: the delivered annotation stays, the time of completion is gone.
    reopened: bool = False

    @property
    def status(self) -> str:
        """Progress as request inputs tell it."""
        if self.annotation is None:
            return "not_started"
        return "in_progress" if self.reopened else "completed"


@dataclass(slots=True)
class World:
    """Everything. Numbers only grow, times are strictly later with every event."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    projects: dict[str, Project] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    scenes: dict[str, Scene] = field(default_factory=dict)
    inputs: dict[str, Input] = field(default_factory=dict)
    #: Delivered annotations by number, in order of delivery.
    delivered: dict[int, Annotation] = field(default_factory=dict)
    #: Annotations by UUID: replaced and preliminary ones too, since storage and reviews still know them.
    known: dict[str, Annotation] = field(default_factory=dict)
    _of_scene: dict[str, list[Input]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _last: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    # --------------------------------------------------------------------------------------- making

    def project(self, name: str, *, title: str = "", typed: Literal["yes", "empty", "missing"] = "yes") -> Project:
        """Make a project, or return it."""
        if name not in self.projects:
            self.projects[name] = Project(name, title or f"Project {name}", self._uuid("project"), self._time(), typed)
        return self.projects[name]

    def batch(self, project: str, name: str) -> Batch:
        """Make a batch, and the project if need be; or return it."""
        owner = self.project(project)
        if name not in owner.batches:
            moment = self._time()
            owner.batches[name] = Batch(owner, name, f"Batch {name}", moment, moment)
        return owner.batches[name]

    def request(self, project: str, batch: str, kind: str) -> Request:
        """Make one more request of an annotation type in a batch."""
        owner = self.batch(project, batch)
        made = Request(self._uuid("request"), f"req-{len(self.requests) + 1:04d}", owner, kind, self._time())
        self.requests[made.id] = made
        return made

    def upload(self, external_id: str = "") -> Scene:
        """Upload a scene."""
        uuid = self._uuid("scene")
        scene = Scene(uuid, external_id or f"scene-{self._counts['scene']:06d}", self._time())
        self.scenes[uuid] = scene
        return scene

    def add(self, request: Request, scene: Scene | None = None) -> Input:
        """Put a scene (a new one, by default) into a request."""
        moment = self._time()
        uuid = self._uuid("input")
        made = Input(self._counts["input"], uuid, scene or self.upload(), request, moment, moment)
        self.inputs[made.uuid] = made
        self._of_scene.setdefault(made.scene.uuid, []).append(made)
        self._touch(made, moment)
        return made

    def finish(self, wanted: Input, body: bytes | None = None) -> Annotation:
        """Deliver the annotation of an input; one that was delivered before is replaced, as a correction does it."""
        if wanted.annotation is not None:
            self.delivered.pop(wanted.annotation.number, None)
        made = self._annotation(wanted, body)
        wanted.annotation, wanted.reopened = made, False
        self.delivered[made.number] = made
        self._touch(wanted, made.created)
        return made

    def judge(self, wanted: Input) -> Annotation:
        """Make a preliminary judgement: found by its id alone."""
        made = self._annotation(wanted, None)
        made.preliminary = True
        return made

    # --------------------------------------------------------------------------------------- changing

    def correct(self, wanted: Input, body: bytes | None = None) -> Annotation:
        """Deliver a corrected annotation: same scene and type, another UUID, a later time."""
        assert wanted.annotation is not None, "nothing to correct"
        return self.finish(wanted, body)

    def reopen(self, wanted: Input) -> None:
        """Begin a correction."""
        wanted.reopened = True
        self._touch(wanted, self._time())

    def invalidate(self, scene: Scene, reason: str = "bad-content") -> None:
        """Invalidate a scene: its annotations are gone for ever."""
        scene.status = INVALIDATED[reason]
        for each in self.of_scene(scene.uuid):
            self._forget(each)

    def delete(self, wanted: Input) -> None:
        """Delete an input with its annotation; the scene stays."""
        self._forget(wanted)
        self._of_scene[wanted.scene.uuid].remove(wanted)
        del self.inputs[wanted.uuid]

    # --------------------------------------------------------------------------------------- asking

    def of_scene(self, uuid: str) -> list[Input]:
        """Return the inputs of a scene."""
        return list(self._of_scene.get(uuid, ()))

    def of_project(self, project: str | None, batch: str | None = None) -> Iterator[Input]:
        """Yield inputs in order, of everything where no project is named."""
        for each in self.inputs.values():
            home = each.request.batch
            if (project is None or home.project.name == project) and (batch is None or home.name == batch):
                yield each

    def listed(self, project: str, batch: str | None, kind: str) -> list[Annotation]:
        """Return the delivered annotations of a project or batch and a type, in order of delivery."""
        return [
            each
            for each in self.delivered.values()
            if each.input.request.type == kind
            and each.input.request.batch.project.name == project
            and (batch is None or each.input.request.batch.name == batch)
        ]

    def types(self, project: str, batch: str | None = None) -> list[str]:
        """Return the annotation types that are asked for."""
        return sorted(
            {
                each.type
                for each in self.requests.values()
                if each.batch.project.name == project and (batch is None or each.batch.name == batch)
            }
        )

    # --------------------------------------------------------------------------------------- within

    def _annotation(self, wanted: Input, body: bytes | None) -> Annotation:
        uuid = self._uuid("annotation")
        made = Annotation(self._counts["annotation"], uuid, wanted, self._time(), body=body)
        self.known[uuid] = made
        return made

    def _forget(self, wanted: Input) -> None:
        if wanted.annotation is not None:
            self.delivered.pop(wanted.annotation.number, None)
            self.known.pop(wanted.annotation.uuid, None)
            wanted.annotation = None
        self._touch(wanted, self._time())

    def _touch(self, wanted: Input, moment: datetime) -> None:
        wanted.updated = wanted.request.batch.updated = moment

    def _uuid(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return name_of(kind, self._counts[kind])

    def _time(self) -> datetime:
        self._last = max(self.now(), self._last + timedelta(microseconds=1))
        return self._last
