"""All tasks of the emulated server: generated ones by their number, changed and imported ones in memory."""

from collections.abc import Iterator

from syncer.demo.platform.rows import Annotation, Task
from syncer.demo.platform.seeds import Generated


class TaskTable:
    """Tasks by id, annotations by id. A task that is only read is made on the spot; `own` keeps it."""

    def __init__(self) -> None:
        self._kept: dict[int, Task] = {}
        self._ranges: list[Generated] = []
        self._deleted: set[int] = set()
        #: Task of each annotation of a kept task.
        self._task_of: dict[int, int] = {}
        #: Grows with each change; what is derived from the table is valid for one revision.
        self.revision = 0
        #: Highest ids ever given, as SQLite's sequences remember them.
        self.task_sequence = 0
        self.annotation_sequence = 0

    def generate(self, rows: Generated) -> None:
        """Add a range of generated tasks; ids must not overlap."""
        self._ranges.append(rows)
        self.task_sequence = max(self.task_sequence, rows.ids[-1] if rows.ids else 0)
        highest = rows.annotation_ids[-1] if rows.annotation_ids else 0
        self.annotation_sequence = max(self.annotation_sequence, highest)
        self.revision += 1

    def get(self, task: int) -> Task | None:
        """Return a task to look at; changes to it are lost unless it is kept."""
        kept = self._kept.get(task)
        if kept is not None or task in self._deleted:
            return kept
        rows = self._range(task)
        return rows.task(task) if rows else None

    def own(self, task: int) -> Task | None:
        """Return a task to change; from now on it stays in memory."""
        found = self.get(task)
        if found is not None:
            self.keep(found)
        return found

    def keep(self, task: Task) -> None:
        """Add a new task, or confirm a changed one."""
        self._kept[task.id] = task
        self._deleted.discard(task.id)
        for annotation in task.annotations:
            self._task_of[annotation.id] = task.id
        self.task_sequence = max(self.task_sequence, task.id)
        self.annotation_sequence = max([self.annotation_sequence, *(a.id for a in task.annotations)])
        self.revision += 1

    def drop(self, task: int) -> bool:
        """Delete a task and all that hangs on it; False if there is none."""
        if self.get(task) is None:
            return False
        gone = self._kept.pop(task, None)
        for annotation in gone.annotations if gone else ():
            self._task_of.pop(annotation.id, None)
        self._deleted.add(task)
        self.revision += 1
        return True

    def ids(self, project: int) -> list[int]:
        """Return the ids of a project's tasks, ascending."""
        kept = [task.id for task in self._kept.values() if task.project == project]
        made = [
            number
            for rows in self._ranges
            if rows.project == project
            for number in rows.ids
            if number not in self._deleted and number not in self._kept
        ]
        return sorted(kept + made) if kept else made

    def all_of(self, project: int) -> Iterator[Task]:
        """Yield a project's tasks by id."""
        return (task for task in map(self.get, self.ids(project)) if task is not None)

    def outlines(self, project: int) -> Iterator[Task]:
        """Yield a project's tasks by id, good for counts and times only: generated ones have no documents."""
        rows: Generated | None = None
        for number in self.ids(project):
            task = self._kept.get(number)
            if task is None:
                rows = rows if rows is not None and number in rows.ids else self._range(number)
                task = rows.task(number, documents=False) if rows else None
            if task is not None:
                yield task

    def find(self, annotation: int) -> tuple[Task, Annotation] | None:
        """Return an annotation and its task."""
        number = self._task_of.get(annotation)
        if number is None:
            number = next(
                (rows.task_of(annotation) for rows in self._ranges if annotation in rows.annotation_ids), None
            )
        task = None if number is None else self.get(number)
        for candidate in task.annotations if task else ():
            if task is not None and candidate.id == annotation:
                return task, candidate
        return None

    def next_task(self) -> int:
        """Return the id that a bulk import gives next: highest present plus one, so ids of deleted tasks return."""
        made = (next((n for n in reversed(rows.ids) if n not in self._deleted), 0) for rows in self._ranges)
        return max([0, *self._kept, *made]) + 1

    def next_annotation(self) -> int:
        """Return the annotation id that a bulk import gives next, likewise."""
        highest = 0
        for task in self._newest_first():
            if task.annotations:
                highest = task.annotations[-1].id
                break
        return max([highest, *self._task_of]) + 1

    def _newest_first(self) -> Iterator[Task]:
        for rows in reversed(self._ranges):
            for number in reversed(rows.ids):
                if number not in self._deleted and number not in self._kept:
                    yield rows.task(number)

    def _range(self, task: int) -> Generated | None:
        return next((rows for rows in self._ranges if task in rows.ids), None)
