"""Tasks made from their numbers: a project of any size costs no memory, and is the same every time."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from syncer.demo.platform.rows import Annotation, Draft, Stamp, Task, stamp_of

#: Label configuration of generated projects.
BOXES = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="car"/><Label value="person"/><Label value="sign"/></RectangleLabels></View>'
)

#: When the first generated task was created. Whatever is edited later is newer.
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

_LABELS = ("car", "person", "sign")
_BOX = (
    '","type":"rectanglelabels","from_name":"label","to_name":"image","original_width":1920,"original_height":1080,'
    '"image_rotation":0,"value":{"x":%.4f,"y":%.4f,"width":%.4f,"height":%.4f,"rotation":0,"rectanglelabels":["%s"]}}'
)
_PRIME = 2_654_435_761


class Mix(msgspec.Struct, frozen=True):
    """What becomes of every n-th task (by inner id); 0: of none. All others have one finished annotation."""

    unannotated: int = 10
    skipped: int = 17
    second: int = 19
    draft: int = 50
    ground_truth: int = 97

    @classmethod
    def finished(cls) -> "Mix":
        """Every task has exactly one finished annotation."""
        return cls(0, 0, 0, 0, 0)


class Generated(msgspec.Struct, frozen=True):
    """A range of tasks of one project, made on demand. Task n has annotation ids a + 2n and, if any, a + 2n + 1."""

    project: int
    count: int
    first: int = 1
    first_annotation: int = 1
    mix: Mix = Mix()
    #: Boxes of an annotation; about 230 bytes each.
    boxes: int = 4
    #: A whole minute.
    start: datetime = START

    @property
    def ids(self) -> range:
        """Ids of the tasks."""
        return range(self.first, self.first + self.count)

    @property
    def annotation_ids(self) -> range:
        """Ids that its annotations may have."""
        return range(self.first_annotation, self.first_annotation + 2 * self.count)

    def task_of(self, annotation: int) -> int:
        """Return the task that an annotation id belongs to."""
        return self.first + (annotation - self.first_annotation) // 2

    def task(self, number: int, *, documents: bool = True) -> Task:
        """Make one task; the same every time. Without documents, which cost most, only counts and times are right."""
        index = number - self.first
        inner = index + 1
        created = self._stamp(index, 0)
        task = Task(
            id=number,
            project=self.project,
            inner_id=inner,
            created_at=created,
            updated_at=created,
            data=b'{"image":"https://images.example.com/%08d.jpg","source_id":"src-%08d"}' % (number, number),
            meta=b'{"n":%d}' % inner,
        )
        base = self.first_annotation + 2 * index
        if _each(inner, self.mix.draft):
            task.drafts = [Draft(base, number, created, created, self._result(base, 1) if documents else b"")]
        elif not _each(inner, self.mix.unannotated):
            self._annotate(task, base, index, self.boxes if documents else 0)
        return task

    def _annotate(self, task: Task, base: int, index: int, boxes: int) -> None:
        skipped = _each(task.inner_id, self.mix.skipped)
        stamp = self._stamp(index, 500)
        task.annotations.append(
            Annotation(
                base,
                task.id,
                self.project,
                stamp,
                stamp,
                result=b"[]" if skipped else self._result(base, boxes),
                was_cancelled=skipped,
                ground_truth=_each(task.inner_id, self.mix.ground_truth),
                lead_time=1 + index % 40 / 4,
            )
        )
        if not skipped and _each(task.inner_id, self.mix.second):
            later = self._stamp(index, 900)
            task.annotations.append(
                Annotation(base + 1, task.id, self.project, later, later, result=self._result(base + 1, min(1, boxes)))
            )
        task.updated_at = self._stamp(index, 950)
        task.is_labeled = True

    def _stamp(self, index: int, milliseconds: int) -> Stamp:
        minute, second = divmod(index, 60)
        return f"{_minute(self.start, minute)}{second:02d}.{milliseconds:03d}{index % 1000:03d}Z"

    @staticmethod
    def _result(annotation: int, boxes: int) -> bytes:
        shapes = _shapes()
        numbers = [(annotation * 131 + box) * _PRIME & 0xFFFFFFFFFF for box in range(1, boxes + 1)]
        parts = [f'{{"id":"{number:010x}{shapes[number >> 7 & 0xFFF]}' for number in numbers]
        return f"[{','.join(parts)}]".encode()


@lru_cache(maxsize=1)
def _shapes() -> list[str]:
    """Return 4,096 boxes without their ids: picking one is ten times quicker than writing one."""
    shapes = []
    for number in range(0x1000):
        mixed = (number + 1) * _PRIME
        x, y = mixed % 7000 / 100 + 0.0001, (mixed >> 8) % 7000 / 100 + 0.0003
        width, height = (mixed >> 16) % 2500 / 100 + 1.0007, (mixed >> 20) % 2500 / 100 + 1.0009
        shapes.append(_BOX % (x, y, width, height, _LABELS[mixed % 3]))
    return shapes


@lru_cache(maxsize=64)
def _minute(start: datetime, minutes: int) -> str:
    """Return all of a stamp but its seconds; formatting a time costs more than making the rest of a row."""
    return stamp_of(start + timedelta(minutes=minutes))[:17]


def _each(number: int, period: int) -> bool:
    return bool(period) and number % period == 0
