"""Rows and objects as JSON text: the keys of the real server in its order, documents inserted as they are stored."""

from collections.abc import Callable, Sequence
from datetime import datetime

from syncer.demo.platform.answers import to_json
from syncer.demo.platform.rows import USER, Annotation, Draft, Stamp, Task, moment_of

_TRUE, _FALSE, _NULL = b"true", b"false", b"null"
_EMAIL = str(USER["email"])
_COMPLETED_BY = to_json({key: USER[key] for key in ("id", "first_name", "last_name", "avatar", "email", "initials")})

TaskField = tuple[str, Callable[[Task], bytes]]
AnnotationField = tuple[str, Callable[[Annotation], bytes]]

#: Names of a field set; None: all.
Include = frozenset[str] | None


def when(stamp: Stamp | None) -> bytes:
    """Return a time as the server writes it: no fraction at all on a whole second."""
    if stamp is None:
        return _NULL
    return b'"%b"' % (stamp.encode() if stamp[-8:] != ".000000Z" else f"{stamp[:-8]}Z".encode())


def ago(stamp: Stamp, now: datetime) -> str:
    """Return the words of `created_ago`, which change by themselves."""
    minutes = int((now - moment_of(stamp)).total_seconds() // 60)
    for size, unit in ((525_600, "year"), (43_200, "month"), (10_080, "week"), (1_440, "day"), (60, "hour")):
        if minutes >= size:
            return f"{minutes // size} {unit}{'s' * (minutes // size > 1)}"
    return f"{minutes} minute{'s' * (minutes != 1)}"


class Renderer:
    """Renders tasks of one field set; made once for each set that clients ask for."""

    def __init__(
        self, now: Callable[[], datetime], include: Include, *, full: bool = True, single: bool = False
    ) -> None:
        """Take the fields to show; `full` is `fields=all`, `single` the form of the one-task view."""
        self._now = now
        self._annotation = _picked(self._annotation_fields(single=single), None if single else include)
        self._task = _picked(self._task_fields(full=full, single=single), include)

    def task(self, task: Task) -> bytes:
        """Return one row."""
        return b"{%b}" % b",".join([prefix + write(task) for prefix, write in self._task])

    def annotation(self, annotation: Annotation) -> bytes:
        """Return one annotation."""
        return b"{%b}" % b",".join([prefix + write(annotation) for prefix, write in self._annotation])

    def draft(self, draft: Draft) -> bytes:
        """Return one draft."""
        head = {"id": draft.id, "user": _EMAIL, "created_username": f"{_EMAIL}, 1"}
        return b'%b,"created_ago":%b,"result":%b,"lead_time":%b,"was_postponed":false,"import_id":null,%b}' % (
            to_json(head)[:-1],
            to_json(ago(draft.created_at, self._now())),
            draft.result,
            _number(draft.lead_time),
            b'"created_at":%b,"updated_at":%b,"task":%d,"annotation":null'
            % (when(draft.created_at), when(draft.updated_at), draft.task),
        )

    def _many(self, parts: Sequence[bytes]) -> bytes:
        return b"[%b]" % b",".join(parts)

    def _annotation_fields(self, *, single: bool) -> list[AnnotationField]:
        return [
            ("id", lambda a: b"%d" % a.id),
            ("result", lambda a: a.result),
            ("created_username", lambda _: to_json(f" {_EMAIL}, 1")),
            ("created_ago", lambda a: to_json(ago(a.created_at, self._now()))),
            ("completed_by", (lambda _: _COMPLETED_BY) if single else (lambda a: b"%d" % a.completed_by)),
            ("was_cancelled", lambda a: _TRUE if a.was_cancelled else _FALSE),
            ("ground_truth", lambda a: _TRUE if a.ground_truth else _FALSE),
            ("created_at", lambda a: when(a.created_at)),
            ("updated_at", lambda a: when(a.updated_at)),
            ("draft_created_at", _null),
            ("lead_time", lambda a: _number(a.lead_time)),
            ("import_id", lambda a: _number(a.import_id)),
            ("last_action", lambda a: _NULL if a.last_action is None else to_json(a.last_action)),
            ("bulk_created", lambda _: _FALSE),
            ("task", lambda a: b"%d" % a.task),
            ("project", lambda a: b"%d" % a.project),
            ("updated_by", lambda a: _number(a.updated_by)),
            ("parent_prediction", _null),
            ("parent_annotation", _null),
            ("last_created_by", _null),
        ]

    def _task_fields(self, *, full: bool, single: bool) -> list[TaskField]:
        fields: list[TaskField] = [
            ("id", lambda t: b"%d" % t.id),
            ("predictions", lambda t: self._many([p.text for p in t.predictions])),
            ("annotations", lambda t: self._many([self.annotation(a) for a in t.annotations])),
            ("drafts", lambda t: self._many([self.draft(d) for d in t.drafts])),
            ("annotators", lambda t: to_json(t.annotators)),
            ("inner_id", lambda t: b"%d" % t.inner_id),
            ("cancelled_annotations", lambda t: b"%d" % t.cancelled_annotations),
            ("total_annotations", lambda t: b"%d" % t.total_annotations),
            ("total_predictions", lambda t: b"%d" % t.total_predictions),
            ("completed_at", lambda t: when(t.completed_at)),
            ("annotations_results", _text if single else (lambda t: to_json(t.results_text))),
            ("predictions_results", _text),
            ("predictions_score", lambda t: _number(t.predictions_score)),
            ("file_upload", _null),
            ("storage_filename", _null),
            ("annotations_ids", lambda t: to_json(",".join(str(a.id) for a in t.annotations))),
            ("predictions_model_versions", lambda t: to_json(",".join(p.model_version for p in t.predictions))),
            ("avg_lead_time", lambda t: _number(t.avg_lead_time)),
            ("draft_exists", lambda t: _TRUE if t.draft_exists else _FALSE),
            ("updated_by", lambda t: b"[]" if t.updated_by is None else b'[{"user_id":%d}]' % t.updated_by),
            ("data", lambda t: t.data),
            ("meta", lambda t: t.meta),
            *_COMMON,
            ("comment_authors", _list),
        ]
        return fields if full else [(name, _BLANK.get(name, write)) for name, write in fields if name not in _FULL_ONLY]


def plain_task(task: Task, *, nested: bool = False, renderer: Renderer) -> bytes:
    """Return the form that creating and patching answer with: fewer keys, in another order."""
    fields: list[TaskField] = [
        ("id", lambda t: b"%d" % t.id),
        ("data", lambda t: t.data),
        ("meta", lambda t: t.meta),
        *_COMMON[:4],
        ("inner_id", lambda t: b"%d" % t.inner_id),
        ("total_annotations", lambda t: b"%d" % t.total_annotations),
        ("cancelled_annotations", lambda t: b"%d" % t.cancelled_annotations),
        ("total_predictions", lambda t: b"%d" % t.total_predictions),
        *_COMMON[4:],
        ("updated_by", lambda t: _number(t.updated_by)),
        ("file_upload", _null),
        ("comment_authors", _list),
    ]
    if nested:
        fields.append(("annotations", lambda t: b"[%b]" % b",".join([renderer.annotation(a) for a in t.annotations])))
        fields.append(("predictions", lambda t: b"[%b]" % b",".join([p.text for p in t.predictions])))
    return b"{%b}" % b",".join([prefix + write(task) for prefix, write in _picked(fields, None)])


def _picked(
    fields: Sequence[tuple[str, Callable[..., bytes]]], include: Include
) -> list[tuple[bytes, Callable[..., bytes]]]:
    return [(f'"{name}":'.encode(), write) for name, write in fields if include is None or name in include]


def _number(value: float | None) -> bytes:
    return _NULL if value is None else repr(value).encode()


def _null(_: object) -> bytes:
    return _NULL


def _text(_: object) -> bytes:
    return b'""'


def _list(_: object) -> bytes:
    return b"[]"


_COMMON: list[TaskField] = [
    ("created_at", lambda t: when(t.created_at)),
    ("updated_at", lambda t: when(t.updated_at)),
    ("is_labeled", lambda t: _TRUE if t.is_labeled else _FALSE),
    ("overlap", lambda t: b"%d" % t.overlap),
    ("comment_count", lambda _: b"0"),
    ("unresolved_comment_count", lambda _: b"0"),
    ("last_comment_updated_at", _null),
    ("project", lambda t: b"%d" % t.project),
]

#: Fields that a listing without `fields=all` does not have, and those that are blank there.
_FULL_ONLY = {"predictions", "annotations", "completed_at", "predictions_score", "avg_lead_time", "draft_exists"}
_BLANK: dict[str, Callable[[Task], bytes]] = {
    "drafts": _list,
    "annotators": _list,
    "annotations_ids": _text,
    "annotations_results": _text,
    "predictions_model_versions": _text,
}
