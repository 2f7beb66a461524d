"""Every platform, sink and transform that this installation knows: the built-in ones and those of entry points.

A plug-in that can't be loaded is reported, never fatal: a configuration that does not use it still works.
"""

import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from pydantic import BaseModel

from syncer.app.shelf import Shelf
from syncer.app.transforms import Chain, as_transform, find_transform
from syncer.flow.redact import Redaction
from syncer.model.errors import SettingsError
from syncer.ports import SinkPlugin, SourcePlugin, Transform
from syncer.settings import Catalog, Job, JobOptions, Kind, Settings, find, json_schema, load
from syncer.settings.problems import suggestion

P = TypeVar("P", SourcePlugin, SinkPlugin)

#: What can be plugged in; the entry point group of each is `syncer.<kind>`.
PluginKind = Literal["sources", "sinks", "transforms"]

#: The plug-ins of this package, so that a bare checkout knows them too.
BUILT_IN: Mapping[PluginKind, Mapping[str, str]] = {
    "sources": {
        "annotell": "syncer.sources.annotell:PLUGIN",
        "kognic": "syncer.sources.kognic:PLUGIN",
        "datature": "syncer.sources.datature:PLUGIN",
        "clarifai": "syncer.sources.clarifai:PLUGIN",
        "label_studio": "syncer.sources.label_studio:PLUGIN",
        "memory": "syncer.sources.memory:PLUGIN",
        "nexus": "syncer.sources.nexus:PLUGIN",
    },
    "sinks": {
        "jsonl": "syncer.sinks.tables:JSONL",
        "memory": "syncer.sinks.memory:PLUGIN",
        "parquet": "syncer.sinks.tables:PARQUET_FILES",
        "prefix": "syncer.sinks.prefix:PLUGIN",
        "zip": "syncer.sinks.archive:PLUGIN",
    },
    "transforms": {
        "datature_jsonl": "syncer.sources.datature.jsonl:DatatureJsonl",
    },
}


class BrokenPlugin(msgspec.Struct, frozen=True):
    """A plug-in that was found and can't be used."""

    kind: PluginKind
    name: str
    #: Where it was found: `module:object`, and the distribution if there is one.
    origin: str
    reason: str

    def __str__(self) -> str:
        """Return one line for people."""
        return f"plug-in '{self.name}' of syncer.{self.kind} ({self.origin}) can't be used: {self.reason}"


class Registry(msgspec.Struct, frozen=True):
    """What can be named by `type` in a configuration, on the command line and in `transform`."""

    sources: Mapping[str, SourcePlugin] = msgspec.field(default_factory=dict)
    sinks: Mapping[str, SinkPlugin] = msgspec.field(default_factory=dict)
    transforms: Mapping[str, Transform] = msgspec.field(default_factory=dict)
    broken: tuple[BrokenPlugin, ...] = ()

    def source(self, kind: str) -> SourcePlugin:
        """Return the plug-in of a platform type.

        Raises:
            SettingsError: there is none; the message says why, or what there is.
        """
        plugin = self.sources.get(kind)
        if plugin is None:
            raise self._unknown("sources", kind, self.sources)
        return plugin

    def sink(self, kind: str) -> SinkPlugin:
        """Return the plug-in of a sink type.

        Raises:
            SettingsError: there is none; the message says why, or what there is.
        """
        plugin = self.sinks.get(kind)
        if plugin is None:
            raise self._unknown("sinks", kind, self.sinks)
        return plugin

    def transform(self, job: JobOptions, base: Path) -> Transform | None:
        """Return what every document of a job passes: its transform, then its validation; None if it names neither.

        Blocks: it may import a module; one that is not installed is looked for in `base`.

        Raises:
            SettingsError: a name that nobody knows, a module that can't be imported, or something not callable.
        """
        if job.transform is None and job.validator is None:
            return None
        known = self.transforms
        return Chain(
            None if job.transform is None else find_transform(job.transform, known, base),
            None if job.validator is None else find_transform(job.validator, known, base, checks=True),
        )

    def redaction(self, job: Job) -> Redaction | None:
        """Return what is dropped from the documents of a job: as its platform and the job itself say.

        Raises:
            SettingsError: an entry is neither a field nor a path, nor a set of the platform's.
        """
        wanted = [*job.platform.options.redact, *job.options.redact]  # type: ignore[attr-defined]  # every platform's options derive from PlatformOptions
        try:
            return Redaction.of(wanted, self.source(job.platform.type).redactions) if wanted else None
        except ValueError as error:
            hint = "write the name of a field, a path such as /annotations/*/completed_by, or a set such as people"
            raise SettingsError(f"jobs.{job.name}.redact: {error}", hint=hint) from error

    def catalog(self) -> Catalog:
        """Return the same as values that `settings` checks a configuration against."""
        return Catalog(
            platforms=Shelf({}, {name: partial(self._platform_kind, name) for name in self.sources}),
            sinks=Shelf({}, {name: partial(self._sink_kind, name) for name in self.sinks}),
            broken={
                ("platforms" if plugin.kind == "sources" else "sinks", plugin.name): plugin.reason
                for plugin in self.broken
                if plugin.kind != "transforms"
            },
        )

    def _platform_kind(self, name: str) -> Kind:
        plugin = self.sources[name]
        return Kind(plugin.options, plugin.title, plugin.defaults)

    def _sink_kind(self, name: str) -> Kind:
        plugin = self.sinks[name]
        return Kind(plugin.options, plugin.title)

    def settings(
        self,
        file: Path | str | None = None,
        *,
        sets: Iterable[str] = (),
        add: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        """Find, read and check the configuration (see `syncer.settings.find` and `load`). Blocks.

        Raises:
            SettingsError: it can't be read.
            SettingsRefused: something in it is wrong; all problems are listed.
        """
        return load(self.catalog(), find(file, environ), sets=sets, add=add, environ=environ)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the configuration file."""
        return json_schema(self.catalog())

    def schema_text(self) -> str:
        """Return the same as the text of `syncer.schema.json`."""
        return json.dumps(self.schema(), indent=2, ensure_ascii=False) + "\n"

    def _unknown(self, kind: PluginKind, name: str, known: Iterable[str]) -> SettingsError:
        word = {"sources": "platform type", "sinks": "sink type", "transforms": "transform"}[kind]
        for plugin in self.broken:
            if plugin.kind == kind and plugin.name == name:
                return SettingsError(str(plugin))
        return SettingsError(f"no {word} '{name}'; {suggestion(name, known, nothing='none is installed')}")


def built_in() -> Registry:
    """Return what this package itself brings, whatever else is installed."""
    return _collect(())


def discover() -> Registry:
    """Return everything: what this package brings, then what other installed packages offer.

    Blocks: foreign plug-ins are imported to learn their types; our own are imported when they are used.
    """
    return _collect(_foreign_offers())


class _Offer(msgspec.Struct, frozen=True):
    kind: PluginKind
    name: str
    origin: str
    load: Callable[[], Any]


def _foreign_offers() -> list[_Offer]:
    offers: list[_Offer] = []
    for kind, plugins in BUILT_IN.items():
        own = set(plugins.values())
        points: Iterable[EntryPoint] = entry_points(group=f"syncer.{kind}")
        for point in sorted(points, key=lambda point: (point.name, point.value)):
            if point.value not in own:
                origin = f"{point.value} of {point.dist.name}" if point.dist else point.value
                offers.append(_Offer(kind, point.name, origin, point.load))
    return offers


def _collect(offers: Iterable[_Offer]) -> Registry:
    sources: dict[str, SourcePlugin] = {}
    sinks: dict[str, SinkPlugin] = {}
    transforms: dict[str, Transform] = {}
    broken: list[BrokenPlugin] = []
    for offer in offers:
        try:
            found = offer.load()
            if offer.kind == "sources":
                _add("sources", sources, _checked(found, SourcePlugin))
            elif offer.kind == "sinks":
                _add("sinks", sinks, _checked(found, SinkPlugin))
            elif offer.name in transforms or offer.name in BUILT_IN["transforms"]:
                _taken(offer.name)
            else:
                transforms[offer.name] = as_transform(found, offer.name)
        except Exception as error:  # noqa: BLE001  # whatever a plug-in raises is its own failure: reported, not fatal
            reason = str(error) if isinstance(error, SettingsError) else f"{type(error).__name__}: {error}"
            broken.append(BrokenPlugin(offer.kind, offer.name, offer.origin, reason.partition("\n")[0][:300]))
    return Registry(
        Shelf(sources, {name: partial(_own, value, SourcePlugin) for name, value in BUILT_IN["sources"].items()}),
        Shelf(sinks, {name: partial(_own, value, SinkPlugin) for name, value in BUILT_IN["sinks"].items()}),
        Shelf(
            transforms, {name: partial(_own_transform, name, value) for name, value in BUILT_IN["transforms"].items()}
        ),
        tuple(broken),
    )


def _own(value: str, expected: type[P]) -> P:
    return _checked(_object(value), expected)


def _own_transform(name: str, value: str) -> Transform:
    return as_transform(_object(value), name)


def _checked(found: object, expected: type[P]) -> P:
    if not isinstance(found, expected):
        message = f"it offers {type(found).__name__}, not a {expected.__name__}"
        raise SettingsError(message)
    options: Any = found.options
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        message = "its options are not a pydantic model"
        raise SettingsError(message)
    if options.model_config.get("extra") != "forbid":
        message = "its options accept unknown keys; set extra='forbid'"
        raise SettingsError(message)
    return found


def _add(kind: PluginKind, plugins: dict[str, P], plugin: P) -> None:
    if plugin.type in plugins or plugin.type in BUILT_IN[kind]:
        _taken(plugin.type)
    plugins[plugin.type] = plugin


def _taken(name: str) -> None:
    message = f"'{name}' is taken by another plug-in"
    raise SettingsError(message)


def _object(value: str) -> object:
    module, _, name = value.partition(":")
    return getattr(importlib.import_module(module), name)
