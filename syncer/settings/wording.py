"""Turns pydantic's errors into sentences with a dotted path, what is expected, and a did-you-mean."""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from syncer.model.secret import Secret
from syncer.settings.problems import Place, Problems, suggestion

#: What was expected, by the beginning of pydantic's error type.
_EXPECTED = (
    ("string", "text"), ("int_from_float", "a whole number"), ("int", "a whole number"), ("float", "a number"),
    ("bool", "true or false"), ("dict", "a mapping"), ("mapping", "a mapping"), ("model", "a mapping"),
    ("dataclass", "a mapping"), ("tuple", "a list"), ("list", "a list"), ("set", "a list"), ("frozen_set", "a list"),
    ("iterable", "a list"), ("datetime", "a date and time"), ("date", "a date"),
    ("time_delta", "a duration such as 30s"), ("url", "a URL"), ("path", "a path"), ("none_required", "nothing (null)"),
    ("is_instance_of", "text (a reference such as env:NAME)"),
)  # fmt: skip

_FIXED = {"missing": "is required", "too_short": "is empty", "string_too_short": "is empty"}

#: Characters of a value that a message repeats.
_SHOWN = 40


def explain(
    error: ValidationError,
    model: type[BaseModel],
    raw: object,
    locate: Callable[[Place], Place | None],
    problems: Problems,
) -> None:
    """Add what the validation of a raw tree found to the problems, each where `locate` puts it; None drops it."""
    for detail in error.errors(include_url=False, include_context=True):
        missing = detail["type"] == "missing"
        inside = _inside(detail["loc"], raw, missing=missing)
        place = locate(inside)
        # What is missing or too short because a part of it is wrong was explained by that part.
        if place is not None and not (detail["type"] in _FIXED and problems.below(place)):
            problems.add(place, _sentence(detail, model, inside))


def fields_of(expected: Any) -> Mapping[str, Any]:  # noqa: ANN401  # any annotation
    """Return the options below an annotation: what each one's key in the file expects."""
    found: dict[str, Any] = {}
    for alternative in alternatives(expected):
        if isinstance(alternative, type) and issubclass(alternative, BaseModel):
            for name, info in alternative.model_fields.items():
                found.setdefault(info.alias or name, info.annotation)
    return found


def inner(expected: Any, key: str | int) -> Any:  # noqa: ANN401  # any annotation
    """Return what is expected below a key or an index; None if nothing is known."""
    fields = fields_of(expected)
    if key in fields:
        return fields[str(key)]
    for alternative in alternatives(expected):
        arguments = get_args(alternative)
        origin = get_origin(alternative)
        if not isinstance(origin, type) or not arguments:
            continue
        if issubclass(origin, Mapping):
            return arguments[1]
        if issubclass(origin, tuple) and isinstance(key, int) and arguments[-1] is not Ellipsis:
            return arguments[key] if key < len(arguments) else None
        if issubclass(origin, Sequence | set | frozenset):
            return arguments[0]
    return None


def alternatives(expected: Any) -> Iterator[Any]:  # noqa: ANN401  # any annotation
    """Yield the plain types behind `Optional`, unions, `Annotated` and aliases."""
    origin = get_origin(expected)
    if hasattr(expected, "__value__"):  # an alias made by a `type` statement
        yield from alternatives(expected.__value__)
    elif origin is Annotated:
        yield from alternatives(get_args(expected)[0])
    elif origin is Union or origin is types.UnionType:
        for argument in get_args(expected):
            yield from alternatives(argument)
    else:
        yield expected


def is_secret(expected: Any) -> bool:  # noqa: ANN401  # any annotation
    """Tell whether an option holds a credential."""
    return any(isinstance(kind, type) and issubclass(kind, Secret) for kind in alternatives(expected))


def _sentence(detail: ErrorDetails, model: type[BaseModel], inside: Place) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    expected: Any = model
    for key in inside[:-1]:
        expected = inner(expected, key)
    if kind == "extra_forbidden":
        return f"unknown key; {suggestion(str(inside[-1]), fields_of(expected), nothing='no keys are known here')}"
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in {"value_error", "assertion_error"} and "error" in context:
        return str(context["error"])
    got = "" if inside and is_secret(inner(expected, inside[-1])) else _got(detail["input"])
    if kind in {"literal_error", "enum"}:
        return f"expected {context.get('expected', 'another value')}{got}"
    if kind.endswith(("_type", "_parsing", "_from_float", "_instance_of", "_required")):
        words = next((words for start, words in _EXPECTED if kind.startswith(start)), None)
        if words is not None:
            return f"expected {words}{got}"
    message = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}{got}"


def _got(value: object) -> str:
    match value:
        case None:
            return ", got nothing"
        case bool():
            return f", got {str(value).lower()}"
        case int() | float():
            return f", got {value}"
        case str():
            # A long text, or an address (which may hold a password), is not repeated.
            shown = len(value) <= _SHOWN and "://" not in value and "@" not in value
            return f", got {value!r}" if shown else ", got other text"
        case Mapping():
            return ", got a mapping"
        case _:
            return ", got a list" if isinstance(value, Sequence) else ""


def _inside(location: tuple[int | str, ...], raw: object, *, missing: bool) -> Place:
    # pydantic also names the alternatives of a union, which are no part of the file.
    place: list[int | str] = []
    here = raw
    for depth, part in enumerate(location):
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, list | tuple) and isinstance(part, int):
            here = here[part] if part < len(here) else None
        elif not (missing and depth == len(location) - 1):
            continue
        place.append(part)
    return tuple(place)
