"""What the options of the file share: their model, durations, sizes, names, moments."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from syncer.model.units import DURATION_PATTERN, SIZE_PATTERN, seconds, size_in_bytes
from syncer.model.units import moment as read_moment

#: What platforms, sinks and jobs may be called: safe in a path, a URL, an environment variable and `--set`.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

#: For JSON Schema: what `moment` reads.
MOMENT_PATTERN = r"^\d{4}-\d{2}-\d{2}([T ].+)?$"


class Options(BaseModel):
    """Unknown keys are refused; values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def name_problem(name: str) -> str | None:
    """Return what is wrong with a name of a platform, sink or job; None if nothing is."""
    if re.fullmatch(NAME_PATTERN, name):
        return None
    return "not a name: use letters, digits, '-' and '_', at most 64, starting with a letter or digit"


def _name(value: object) -> object:
    wrong = name_problem(value) if isinstance(value, str) else None
    if wrong is not None:
        raise ValueError(wrong)
    return value


def _text(value: object) -> object:
    if isinstance(value, float):  # 1.10 would become 1.1
        message = f"expected text, got {value}; put it in quotes"
        raise ValueError(message)  # noqa: TRY004  # pydantic reports ValueError with its place
    # A whole number in YAML is the text that stands there: the reader resolves canonical decimals only.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def moment(value: object) -> object:
    """Read a date or time; without an offset it counts as UTC. Anything but text is left to pydantic.

    Raises:
        ValueError: the text is neither.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        return read_moment(value)
    return value


#: Seconds; written `30s`, `5m`, `1h30m`, `7d`, or as a bare number of seconds.
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}),
]

#: Bytes; written `512KiB`, `256MB`, `2GiB`, or as a bare number of bytes.
Size = Annotated[
    int,
    BeforeValidator(size_in_bytes),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SIZE_PATTERN}, {"type": "integer", "minimum": 0}]}),
]

#: Name of a platform, a sink or a job.
Name = Annotated[
    str, BeforeValidator(_text), BeforeValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]

#: An id or a title at the platform; whole numbers may stand without quotes.
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "integer"]})]

#: A point in time, aware; without an offset it counts as UTC.
Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "pattern": MOMENT_PATTERN}),
]
