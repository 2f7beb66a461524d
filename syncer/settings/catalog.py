"""Values on both sides of loading: what plug-ins accept, and what a configuration says."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from pydantic import BaseModel

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.settings.daemon import DaemonOptions, FleetOptions, NotifyOptions, ServeOptions
from syncer.settings.problems import Problem, SettingsRefused
from syncer.settings.schema import JobOptions, LogOptions


class Kind(msgspec.Struct, frozen=True):
    """One type of platform or sink, as its plug-in describes it."""

    #: Pydantic model of its options; unknown keys are its to refuse.
    options: type[BaseModel]
    #: One line for people.
    title: str = ""
    #: References tried, in order, where an option is absent (`{"token": ("env:X",)}`).
    defaults: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)


class Catalog(msgspec.Struct, frozen=True):
    """All types that a configuration can name, and why others can't be used."""

    platforms: Mapping[str, Kind] = msgspec.field(default_factory=dict)
    sinks: Mapping[str, Kind] = msgspec.field(default_factory=dict)
    #: Reason by ("platforms" | "sinks", type) of plug-ins that could not be loaded.
    broken: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)


class Configured(msgspec.Struct, frozen=True):
    """A platform or a sink of the configuration, its options validated by its plug-in."""

    name: str
    type: str
    #: An instance of the plug-in's options model.
    options: BaseModel

    def secrets(self) -> Iterator[Secret]:
        """Yield the credentials in the options; each names its option when it can't be read."""
        yield from _secrets(self.options)

    def require_secrets(self) -> None:
        """Read every credential once. Blocks: call it from a thread, before the platform or sink is used.

        Raises:
            SettingsRefused: some can't be read; all of them are listed.
        """
        problems: list[Problem] = []
        for secret in self.secrets():
            try:
                secret.reveal()
            except SettingsError as error:
                problems.append(Problem("", str(error), error.hint))
        if problems:
            raise SettingsRefused(problems)


class Job(msgspec.Struct, frozen=True):
    """A job of the configuration with everything that it refers to."""

    name: str
    options: JobOptions
    #: The platform, with the job's own limits.
    platform: Configured
    #: The sinks, each with the job's own overrides; at least one, names differ.
    legs: tuple[Configured, ...]


class Settings(msgspec.Struct, frozen=True):
    """A whole configuration, checked. Secrets in it are references that nothing has read yet."""

    #: Folder that relative paths count from: that of the file, else the working directory.
    base: Path
    file: Path | None
    #: Where the state lies, for people: `sqlite:/absolute/path`, `memory:`, a URL without password, or a reference.
    state: str
    #: The same, to be opened; it may hold a password.
    state_url: Secret
    #: Folder for bodies too large for memory; None: beside the state, or a temporary folder.
    spool: Path | None
    #: Bytes that all runs of the process together may hold of documents; None: the engine's default.
    memory: int | None
    log: LogOptions
    platforms: Mapping[str, Configured]
    sinks: Mapping[str, Configured]
    jobs: Mapping[str, Job]
    daemon: DaemonOptions = msgspec.field(default_factory=DaemonOptions)
    fleet: FleetOptions = msgspec.field(default_factory=FleetOptions)
    serve: ServeOptions = msgspec.field(default_factory=ServeOptions)
    notify: tuple[NotifyOptions, ...] = ()
    #: What the user should know, found while loading.
    warnings: tuple[str, ...] = ()

    @property
    def state_file(self) -> Path | None:
        """The SQLite file that the settings name, None for a state elsewhere."""
        scheme, _, path = self.state.partition(":")
        return Path(path) if scheme == "sqlite" else None


def _secrets(value: object) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list | tuple | frozenset):
        for item in value:
            yield from _secrets(item)
