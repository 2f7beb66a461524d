"""The shape of the file: jobs, schedules, selections. Options of platforms and sinks are their plug-ins' own."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from syncer.ports import Selection
from syncer.settings.cron import check_cron, zone
from syncer.settings.daemon import DaemonOptions, FleetOptions, NotifyOptions, ServeOptions
from syncer.settings.units import MOMENT_PATTERN, Duration, Moment, Name, Options, Size, Text, moment

#: Where the state lies when the file does not say: below the XDG state folder.
DEFAULT_STATE = "sqlite:${XDG_STATE_HOME:-~/.local/state}/syncer/state.db"

_FUNCTION = re.compile(r"^[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?$")


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _function(value: object) -> object:
    if isinstance(value, str) and not _FUNCTION.match(value):
        message = f"expected the name of a transform or module:function, got {value[:80]!r}"
        raise ValueError(message)
    return value


def _once(value: object) -> object:
    if value is True or isinstance(value, datetime):
        return value
    if isinstance(value, str):
        return moment(value)
    message = "expected true or a time such as 2026-01-31T12:00:00Z"
    raise ValueError(message)


Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(
        {"anyOf": [{"type": "array", "items": {"type": ["string", "integer"]}}, {"type": ["string", "integer"]}]}
    ),
]
Function = Annotated[str, BeforeValidator(_function)]
Once = Annotated[
    datetime | Literal[True],
    BeforeValidator(_once),
    WithJsonSchema({"anyOf": [{"const": True}, {"type": "string", "pattern": MOMENT_PATTERN}]}),
]


class SelectOptions(Options):
    """What a job wants of its platform. Names are literals or globs (`*`, `?`, `[`)."""

    projects: Texts = Field(default=(), description="Ids or titles of projects, or globs.")
    batches: Texts = Field(
        default=(), description='Batches. Left out: the project as a whole; `["*"]`: each batch on its own.'
    )
    annotation_types: Texts = Field(default=(), description='Annotation types. Left out or `["*"]`: all of them.')
    items: Texts = Field(default=(), description="Ids of single items. Left out: all items.")
    since: Moment | None = Field(default=None, description="Only items finished or changed at or after this time.")
    until: Moment | None = Field(default=None, description="Only items finished or changed before this time.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.projects and not self.items:
            message = 'names nothing: give projects (`["*"]` for all of them) or items'
            raise ValueError(message)
        if self.since and self.until and self.since >= self.until:
            message = "since is not before until"
            raise ValueError(message)
        return self

    def selection(self) -> Selection:
        """Return the same for a source."""
        return Selection(self.projects, self.batches, self.annotation_types, self.items, self.since, self.until)


class AdaptiveOptions(Options):
    """A distance that follows the work: the shortest while some arrives, twice as long after each idle look."""

    min: Duration = Field(ge=1, description="While work arrives: `15s`.")
    max: Duration = Field(ge=1, description="When there was none for long: `10m`.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            message = "min is longer than max"
            raise ValueError(message)
        return self


#: A distance, or the bounds of one that follows the work.
Every = Annotated[Duration, Field(ge=1)] | AdaptiveOptions


class ScheduleOptions(Options):
    """When the daemon runs a job: exactly one of `cron`, `every`, `once`, `after`."""

    cron: str | None = Field(
        default=None, description="Five cron fields, in `timezone`, or `@daily` and the like: `0 2 * * *`."
    )
    every: Every | None = Field(
        default=None, description="From start to start: `30s`, `15m`, `1d`; `{min: 15s, max: 10m}` follows the work."
    )
    once: Once | None = Field(default=None, description="`true`: at the start of the daemon; or a time.")
    after: Name | None = Field(default=None, description="Another job: run whenever that one has ended well.")
    timezone: str = Field(default="UTC", description="IANA name of the time zone of `cron`: `Europe/Stockholm`.")
    jitter: Duration = Field(
        default=0, description="Each run is put off by up to this, the same for one job each time."
    )
    catch_up: Literal["none", "once"] = Field(
        default="once",
        description=(
            "Times of `cron` and `once` that passed while no daemon ran, or the machine slept."
            " `once`: one run makes up for all of them. `none`: the next time is waited for."
        ),
    )
    misfire: Duration | None = Field(
        default=None, description="How late that one run may begin: `6h`. Left out: however late."
    )

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: Any) -> Any:  # noqa: ANN401  # the raw tree
        if isinstance(value, dict) and set(value) <= set(cls.model_fields):
            given = [name for name in ("cron", "every", "once", "after") if value.get(name) is not None]
            if len(given) != 1:
                found = "none is given" if not given else f"{' and '.join(given)} are given"
                message = f"expected exactly one of cron, every, once and after; {found}"
                raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.cron is not None:
            try:
                check_cron(self.cron)
            except ValueError as error:
                message = f"cron: {error}"
                raise ValueError(message) from None
        try:
            zone(self.timezone)
        except ValueError as error:
            message = f"timezone: {error}"
            raise ValueError(message) from None
        return self


class CommitOptions(Options):
    """When a group of writes is sealed and committed: whichever comes first. Left out: the engine's defaults."""

    items: int | None = Field(default=None, ge=1, description="After so many items.")
    bytes: Size | None = Field(default=None, ge=1, description="After so many bytes of documents: `32MiB`.")
    interval: Duration | None = Field(default=None, gt=0, description="After so long: `1s`.")


def _sink_entry(value: object) -> object:
    if isinstance(value, str):
        return (value, {})
    if isinstance(value, dict) and len(value) == 1:
        name, overrides = next(iter(value.items()))
        if overrides is None or isinstance(overrides, dict):
            return (name, overrides or {})
    if isinstance(value, tuple):
        return value
    message = "expected the name of a sink, or {NAME: {OPTION: VALUE}}"
    raise ValueError(message)


#: A sink of a job: its name, and options that differ from those under `sinks`.
SinkEntry = Annotated[
    tuple[Name, dict[str, Any]],
    BeforeValidator(_sink_entry),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "object"}},
            ]
        }
    ),
]


class JobOptions(Options):
    """One platform's selection and the sinks that it feeds."""

    platform: Name = Field(description="Name of an entry under `platforms`.")
    select: SelectOptions = Field(description="What to export.")
    sinks: tuple[SinkEntry, ...] = Field(
        min_length=1, description="Entries under `sinks`; `{NAME: {publish: …}}` overrides options for this job."
    )
    schedule: ScheduleOptions | None = Field(
        default=None, description="When the daemon runs it. Left out: only by hand."
    )
    transform: Function | None = Field(
        default=None, description="Name of a transform, or `module:function`, that every document passes."
    )
    validator: Function | None = Field(
        default=None,
        alias="validate",
        description="Name of a transform, or `module:function`, that refuses a document by raising ValueError.",
    )
    redact: tuple[str, ...] = Field(
        default=(),
        description="Fields that are dropped before anything is written, beside those of the platform's `redact`.",
    )
    limits: dict[str, Any] = Field(default_factory=dict, description="Limits of the platform, changed for this job.")
    commit: CommitOptions = Field(default_factory=CommitOptions, description="Size of a group of writes.")
    full_every: Duration | None = Field(
        default=None,
        gt=0,
        description="Longest time between two complete listings: `7d`. Left out: the platform's own.",
    )
    priority: int = Field(
        default=0, ge=-1000, le=1000, description="In a fleet: units of jobs with a higher number come first."
    )
    queue: Name = Field(default="default", description="In a fleet: the queue whose workers do it.")


Level = Literal["debug", "info", "warning", "error"]


class LogOptions(Options):
    """What is logged; the command line overrides it."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto`: console on a terminal, else JSON."
    )
    level: Level = Field(default="info", description="Lowest level that is shown.")
    levels: dict[str, Level] = Field(
        default_factory=dict, description="Lowest level of single loggers of libraries, by name: `{aiohttp: debug}`."
    )
    traces: bool = Field(
        default=False, description="Send OpenTelemetry traces, also where no `OTEL_…` variable asks for them."
    )


_STATES = frozenset({"sqlite", "postgresql", "postgres", "env", "file", "keyring"})


def _state(value: object) -> object:
    if isinstance(value, str):
        scheme, colon, rest = value.partition(":")
        if scheme == "memory" and not rest:
            return "memory:"
        if scheme not in _STATES or not rest.strip():
            # Only the scheme is shown: a database URL may hold a password.
            got = scheme[:20] + ":…" if colon else "no scheme"
            message = f"expected sqlite:PATH, postgresql://…, env:NAME or file:PATH, got {got}"
            raise ValueError(message)
    return value


class FileOptions(Options):
    """The top of the file, besides platforms, sinks and jobs."""

    state: Annotated[str, BeforeValidator(_state)] = Field(
        default=DEFAULT_STATE,
        description="Where progress is remembered: `sqlite:PATH`, relative to this file, or `postgresql://…`;"
        " `env:NAME` or `file:PATH` for a URL that holds a password.",
    )
    spool: str | None = Field(
        default=None, description="Folder for documents too large for memory, relative to this file. Emptied at start."
    )
    memory: Size | None = Field(
        default=None, ge=1024 * 1024, description="Bytes of documents held in memory at once: `256MiB`."
    )
    log: LogOptions = Field(default_factory=LogOptions, description="What is logged.")
    daemon: DaemonOptions = Field(default_factory=DaemonOptions, description="How the daemon lives.")
    fleet: FleetOptions = Field(default_factory=FleetOptions, description="How workers of a fleet live.")
    serve: ServeOptions = Field(default_factory=ServeOptions, description="Where the daemon listens.")
    notify: tuple[NotifyOptions, ...] = Field(default=(), description="Who is told of runs that ended.")
