"""One entry of `platforms` or `sinks`: its plug-in found by `type`, its options prepared and validated."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from pydantic import ValidationError

from syncer.settings.bind import Binder
from syncer.settings.catalog import Catalog, Configured, Kind
from syncer.settings.problems import Place, suggestion
from syncer.settings.units import name_problem
from syncer.settings.wording import explain, inner

#: The sections of the file whose entries are plug-ins'.
Section = Literal["platforms", "sinks"]

#: Where a problem at a place inside the options belongs; None: it is reported elsewhere.
Locate = Callable[[Place], Place | None]


class Entry(msgspec.Struct, frozen=True):
    """An entry whose type is known; `prepared` are its options before validation."""

    section: Section
    name: str
    kind: Kind
    type: str
    prepared: Mapping[str, Any]

    def locate(self, inside: Place) -> Place:
        """Return where a place inside the options stands in the file."""
        return (self.section, self.name, *inside)

    def configure(self, binder: Binder, locate: Locate, changes: Mapping[str, Any] | None = None) -> Configured | None:
        """Validate the options, with changes laid over them; problems go to the binder's."""
        model = self.kind.options
        options = {**self.prepared, **(changes or {})}
        if "type" in model.model_fields:
            options["type"] = self.type
        try:
            validated = model.model_validate(options, context={"base": binder.base})
        except ValidationError as error:
            explain(error, model, options, locate, binder.problems)
            return None
        return Configured(self.name, self.type, validated)

    def with_options(self, binder: Binder, overrides: Mapping[str, Any], place: Place) -> Configured | None:
        """Return the entry with options of a job laid over it; `place` is where the job gives them."""
        changes = binder.prepare(self.kind.options, dict(overrides), place)
        if "type" in changes:
            binder.problems.add((*place, "type"), f"can't be changed by a job; {self.name} is of type {self.type}")
            return None
        return self.configure(binder, _only(changes, place), changes)

    def with_limits(self, binder: Binder, limits: Mapping[str, Any], place: Place) -> Configured | None:
        """Return the entry with a job's own limits; `place` is where the job gives them."""
        changes = binder.prepare(inner(self.kind.options, "limits"), dict(limits), place)
        own = self.prepared.get("limits")
        inside = _only(changes, place)

        def locate(where: Place) -> Place | None:
            return inside(where[1:]) if where[:1] == ("limits",) else None

        return self.configure(binder, locate, {"limits": {**(own if isinstance(own, Mapping) else {}), **changes}})


def read_entries(section: Section, raw: Mapping[str, Any], catalog: Catalog, binder: Binder) -> dict[str, Entry]:
    """Return the entries whose type is known, options prepared; what is wrong goes to the problems."""
    kinds = catalog.platforms if section == "platforms" else catalog.sinks
    entries: dict[str, Entry] = {}
    for name, options in raw.items():
        place: Place = (section, name)
        wrong = name_problem(name)
        if wrong is not None:
            binder.problems.add(place, wrong)
        elif not isinstance(options, dict):
            binder.problems.add(place, "expected a mapping with a type")
        elif (kind := _kind(section, options.get("type"), kinds, catalog, binder, place)) is not None:
            prepared = binder.prepare(kind.options, {k: v for k, v in options.items() if k != "type"}, place)
            binder.defaults(kind, prepared, place)
            entries[name] = Entry(section, name, kind, str(options["type"]), prepared)
    return entries


def _kind(section: Section, kind: object, kinds: Mapping[str, Kind], catalog: Catalog, binder: Binder,
          place: Place) -> Kind | None:  # fmt: skip
    word = section.removesuffix("s")
    if not isinstance(kind, str):
        binder.problems.add((*place, "type"), f"is required; {suggestion('', kinds, nothing='no type is installed')}")
    elif kind in kinds:
        return kinds[kind]
    elif (section, kind) in catalog.broken:
        binder.problems.add(
            (*place, "type"), f"the plug-in of {word} type '{kind}' can't be used: {catalog.broken[section, kind]}"
        )
    else:
        likely = suggestion(kind, kinds, nothing="no type is installed")
        binder.problems.add((*place, "type"), f"no {word} type '{kind[:40]}'; {likely}")
    return None


def _only(changes: Mapping[str, Any], place: Place) -> Locate:
    """Keep the problems of what the job changes; those of the entry itself are reported where it stands."""

    def locate(inside: Place) -> Place | None:
        return (*place, *inside) if not inside or inside[0] in changes else None

    return locate
