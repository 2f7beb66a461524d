"""What the emulated server remembers, and how it changes: ids, times and flags move as on the real one (SQLite)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from syncer.demo.platform.projects import COUNTERS, SETTINGS, Project, counters
from syncer.demo.platform.rows import (
    Annotation,
    Draft,
    Prediction,
    Snapshot,
    Stamp,
    Task,
    document,
    moment_of,
    stamp_of,
)
from syncer.demo.platform.seeds import BOXES, Generated, Mix
from syncer.demo.platform.table import TaskTable

_TICK = timedelta(microseconds=1)


class Store:
    """Projects, tasks and annotations in memory. Every change is one method; none of them is called by a reader."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.projects: dict[int, Project] = {}
        self.tasks = TaskTable()
        #: Saved views by id.
        self.views: dict[int, dict[str, Any]] = {}
        #: Finished exports by id.
        self.snapshots: dict[int, Snapshot] = {}
        #: Uploaded files by their paths; stored objects by their addresses, or where their signed links lead.
        self.uploads: dict[str, bytes] = {}
        self.objects: dict[str, bytes | str] = {}
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._project_sequence = 0
        self._draft_sequence = self._prediction_sequence = 0
        self._counts: dict[int, tuple[int, dict[str, int]]] = {}

    def stamp(self) -> Stamp:
        """Return the server's time; no two calls return the same."""
        self._latest = max(self.now(), self._latest + _TICK) if self._latest.year > 1 else self.now()
        return stamp_of(self._latest)

    # ------------------------------------------------------------------------------------- projects

    def create_project(self, title: str, label_config: str = BOXES, **settings: Any) -> Project:
        """Add an empty project."""
        self._project_sequence += 1
        known = {key: value for key, value in settings.items() if key in SETTINGS}
        project = Project(
            self._project_sequence, self.stamp(), {**SETTINGS, **known, "title": title, "label_config": label_config}
        )
        self.projects[project.id] = project
        return project

    def generate(self, project: Project, count: int, *, mix: Mix | None = None, boxes: int = 4) -> range:
        """Fill a project with tasks made from their numbers; return their ids."""
        table = self.tasks
        first, annotation = table.task_sequence + 1, table.annotation_sequence + 1
        rows = Generated(project.id, count, first, annotation, mix or Mix(), boxes)
        table.generate(rows)
        return rows.ids

    def patch_project(self, project: Project, changes: Mapping[str, Any]) -> None:
        """Change settings. A new overlap flips `is_labeled` of many tasks and moves the time of none."""
        project.settings.update({key: value for key, value in changes.items() if key in SETTINGS})
        if "maximum_annotations" in changes:
            for number in self.tasks.ids(project.id):
                task = self._own(number)
                task.overlap = project.overlap
                task.relabel()

    def delete_project(self, project: int) -> None:
        """Delete a project with all it holds."""
        for number in self.tasks.ids(project):
            self.tasks.drop(number)
        del self.projects[project]

    def counts(self, project: int) -> dict[str, int]:
        """Return the project's counters (`COUNTERS`), computed once a revision."""
        cached = self._counts.get(project)
        if cached is None or cached[0] != self.tasks.revision:
            cached = (self.tasks.revision, counters(self.tasks.outlines(project)))
            self._counts[project] = cached
        return {name: cached[1][name] for name in COUNTERS}

    # ---------------------------------------------------------------------------------------- tasks

    def import_tasks(
        self, project: Project, items: Iterable[Mapping[str, Any]], *, at: datetime | None = None
    ) -> list[int]:
        """Import tasks with annotations, drafts and predictions; return their ids.

        `at` dates them back: rows of one big transaction become visible later than their time. Values of `data`,
        `meta` and `result` may be bytes, which are taken as JSON text and served as they are.
        """
        number, annotation = self.tasks.next_task(), self.tasks.next_annotation()
        inner = max((task.inner_id for task in self._last(project.id)), default=0)
        imported: list[int] = []
        for item in items:
            stamp = self.stamp() if at is None else stamp_of(at + _TICK * len(imported))
            inner += 1
            task = Task(number, project.id, inner, stamp, stamp, document(item["data"]), document(item.get("meta", {})))
            task.overlap = project.overlap
            task.annotations = [
                self._imported(annotation + place, task, raw, at)
                for place, raw in enumerate(item.get("annotations", ()))
            ]
            annotation += len(task.annotations)
            # An import counts annotators, and skipped annotations too; an edit later does not.
            task.is_labeled = len(task.annotators) >= task.overlap
            task.drafts = [self._draft(number, raw.get("result", [])) for raw in item.get("drafts", ())]
            task.predictions = [self._prediction(task, raw) for raw in item.get("predictions", ())]
            self.tasks.keep(task)
            imported.append(number)
            number += 1
        return imported

    def create_task(self, project: Project, data: Any, meta: Any = None) -> Task:
        """Add one task the way the form does: its id is the next of the sequence, never a reused one."""
        stamp = self.stamp()
        inner = max((task.inner_id for task in self._last(project.id)), default=0) + 1
        number = self.tasks.task_sequence + 1
        task = Task(number, project.id, inner, stamp, stamp, document(data), document(meta or {}))
        task.overlap = project.overlap
        self.tasks.keep(task)
        return task

    def patch_task(self, task: int, changes: Mapping[str, Any]) -> Task:
        """Change data or meta."""
        found = self._own(task)
        found.data = document(changes["data"]) if "data" in changes else found.data
        found.meta = document(changes["meta"]) if "meta" in changes else found.meta
        found.updated_at = self.stamp()
        return found

    def delete_tasks(self, tasks: Sequence[int]) -> int:
        """Delete tasks; nothing is left of them. Return how many there were."""
        return sum([self.tasks.drop(task) for task in tasks])

    # ---------------------------------------------------------------------------------- annotations

    def annotate(self, task: int, result: Any = (), *, was_cancelled: bool = False, **more: Any) -> Annotation:
        """Submit (or skip, with `was_cancelled`) one annotation."""
        found = self._own(task)
        stamp = self.stamp()
        annotation = Annotation(
            self.tasks.annotation_sequence + 1,
            task,
            found.project,
            stamp,
            stamp,
            document(result if isinstance(result, bytes) else list(result)),
            was_cancelled,
            updated_by=1,
            **more,
        )
        found.annotations.append(annotation)
        self._touch(found)
        return annotation

    def patch_annotation(self, annotation: int, changes: Mapping[str, Any]) -> Annotation:
        """Change an annotation; even an empty change moves both times."""
        task, found = self._annotation(annotation)
        for name in ("was_cancelled", "ground_truth", "lead_time", "last_action"):
            setattr(found, name, changes.get(name, getattr(found, name)))
        found.result = document(changes["result"]) if "result" in changes else found.result
        found.updated_at, found.updated_by = self.stamp(), 1
        self._touch(task)
        return found

    def cancel(self, annotation: int) -> Annotation:
        """Turn a finished annotation into a skipped one."""
        return self.patch_annotation(annotation, {"was_cancelled": True})

    def delete_annotation(self, annotation: int) -> None:
        """Delete one annotation; its task's time moves."""
        task, found = self._annotation(annotation)
        task.annotations.remove(found)
        self._touch(task)

    def delete_annotations(self, tasks: Sequence[int]) -> int:
        """Delete all annotations and drafts of some tasks in one bulk action: they all get one and the same time."""
        stamp, deleted = self.stamp(), 0
        for task in map(self._own, tasks):
            deleted += len(task.annotations)
            task.annotations, task.drafts = [], []
            self._touch(task, stamp)
        return deleted

    def to_draft(self, annotation: int) -> Draft:
        """Take a submission back: the annotation becomes a draft."""
        task, found = self._annotation(annotation)
        self.delete_annotation(annotation)
        draft = self._draft(task.id, found.result)
        draft.lead_time = found.lead_time
        task.drafts.append(draft)
        return draft

    def add_draft(self, task: int, result: Any) -> Draft:
        """Save unsubmitted work; moves no time of the task."""
        found = self._own(task)
        draft = self._draft(task, result)
        found.drafts.append(draft)
        return draft

    # ------------------------------------------------------------------------------------------ own

    def _touch(self, task: Task, stamp: Stamp | None = None) -> None:
        task.relabel()
        task.updated_at, task.updated_by = stamp or self.stamp(), 1
        self.tasks.keep(task)

    def _imported(self, number: int, task: Task, raw: Mapping[str, Any], at: datetime | None) -> Annotation:
        # Annotations of one import are written after its tasks: a little later than they.
        stamp = self.stamp() if at is None else stamp_of(moment_of(task.updated_at) + timedelta(milliseconds=900))
        annotation = Annotation(number, task.id, task.project, stamp, stamp, document(raw.get("result", [])))
        annotation.was_cancelled = bool(raw.get("was_cancelled", False))
        annotation.ground_truth = bool(raw.get("ground_truth", True))
        annotation.lead_time = raw.get("lead_time")
        annotation.completed_by = int(raw.get("completed_by", 1))
        return annotation

    def _prediction(self, task: Task, raw: Mapping[str, Any]) -> Prediction:
        self._prediction_sequence += 1
        version, score = str(raw.get("model_version", "undefined")), raw.get("score")
        text = document(
            {
                "id": self._prediction_sequence,
                "result": raw.get("result", []),
                "model_version": version,
                "created_ago": "0 minutes",
                "score": score,
                "cluster": None,
                "neighbors": None,
                "mislabeling": 0.0,
                "created_at": task.created_at,
                "updated_at": task.created_at,
                "model": None,
                "model_run": None,
                "task": task.id,
                "project": task.project,
            }
        )
        return Prediction(self._prediction_sequence, version, score, text)

    def _draft(self, task: int, result: Any) -> Draft:
        self._draft_sequence += 1
        stamp = self.stamp()
        return Draft(self._draft_sequence, task, stamp, stamp, document(result))

    def _last(self, project: int) -> list[Task]:
        found = self.tasks.ids(project)[-1:]
        return [task for task in map(self.tasks.get, found) if task is not None]

    def _own(self, task: int) -> Task:
        found = self.tasks.own(task)
        if found is None:
            raise KeyError(task)
        return found

    def _annotation(self, annotation: int) -> tuple[Task, Annotation]:
        found = self.tasks.find(annotation)
        if found is None:
            raise KeyError(annotation)
        self.tasks.keep(found[0])
        return found
