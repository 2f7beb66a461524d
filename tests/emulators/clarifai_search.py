"""The annotation search of an emulated Clarifai: filters that are combined with AND, and pages with a bound."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.emulators.clarifai_answers import Refused
from tests.emulators.clarifai_store import CODES, Annotation, App

Json = Any

#: Fields of an annotation that a filter may name, beside its status and `trusted`.
_PLAIN = {"id": "id", "input_id": "input_id", "task_id": "task", "user_id": "user", "model_version_id": "model"}


def found(app: App, body: Mapping[str, Json]) -> list[Annotation]:
    """Return the annotations that a search finds, oldest first.

    Raises:
        Refused: the request is not one that the search understands.
    """
    searches = body.get("searches")
    if not isinstance(searches, list) or len(searches) != 1:
        raise Refused(40002, "exactly one search is expected")
    filters: Sequence[Mapping[str, Json]] = searches[0].get("query", {}).get("filters", [])
    return [each for each in app.annotations.values() if all(_passes(app, each, one) for one in filters)]


def _passes(app: App, each: Annotation, wanted: Mapping[str, Json]) -> bool:
    unknown = wanted.keys() - {"annotation", "input", "last_updated_time_range", "negate"}
    if unknown:
        raise Refused(40002, f"unknown filter {sorted(unknown)}")
    passes = _annotation(each, wanted.get("annotation", {})) and _input(app, each, wanted.get("input", {}))
    span = wanted.get("last_updated_time_range", {})
    passes = passes and _within(each.modified, span)
    return passes != bool(wanted.get("negate"))


def _annotation(each: Annotation, wanted: Mapping[str, Json]) -> bool:
    for name, value in wanted.items():
        if name == "status":
            code = value["code"]
            if each.code != CODES.get(code, code):
                return False
        elif name in {"trusted", "input_level"}:
            if value and not getattr(each, name):
                return False
        elif name in _PLAIN:
            if getattr(each, _PLAIN[name]) != value:
                return False
        else:
            raise Refused(40002, f"annotations can't be searched by {name}")
    return True


def _input(app: App, each: Annotation, wanted: Mapping[str, Json]) -> bool:
    if wanted.keys() - {"dataset_ids"}:
        raise Refused(40002, "inputs can only be searched by dataset here")
    names = wanted.get("dataset_ids")
    return not names or any(each.input_id in app.datasets.get(name, {}) for name in names)


def _within(modified: str, span: Mapping[str, str]) -> bool:
    moment = datetime.fromisoformat(modified)
    start, end = span.get("start_time"), span.get("end_time")
    after = start is None or moment >= datetime.fromisoformat(start)
    return after and (end is None or moment <= datetime.fromisoformat(end))
