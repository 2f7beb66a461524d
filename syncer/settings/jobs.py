"""The jobs of a configuration: shape, references to platforms, sinks and other jobs, overrides."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from syncer.settings.bind import Binder
from syncer.settings.catalog import Configured, Job
from syncer.settings.entries import Entry
from syncer.settings.problems import Place, suggestion
from syncer.settings.schema import JobOptions
from syncer.settings.units import name_problem
from syncer.settings.wording import explain, inner


class Known(msgspec.Struct, frozen=True):
    """What jobs can refer to: all names of the file, and the entries of those that could be read."""

    platforms: Mapping[str, Entry]
    sinks: Mapping[str, Entry]
    platform_names: frozenset[str]
    sink_names: frozenset[str]


def read_jobs(raw: Mapping[str, Any], known: Known, binder: Binder) -> dict[str, Job]:
    """Return the jobs that are right; what is wrong goes to the problems."""
    jobs: dict[str, Job] = {}
    for name, options in raw.items():
        job = _job(name, options, known, binder)
        if job is not None:
            jobs[name] = job
    for name, count in Counter(name.casefold() for name in raw).items():
        if count > 1:
            binder.problems.add(("jobs",), f"{count} jobs are called '{name}' but for upper and lower case")
    _check_order(raw, binder)
    return jobs


def _job(name: str, raw: object, known: Known, binder: Binder) -> Job | None:
    place: Place = ("jobs", name)
    wrong = name_problem(name)
    if wrong is not None:
        binder.problems.add(place, wrong)
    if not isinstance(raw, dict):
        binder.problems.add(place, "expected a mapping with platform, select and sinks")
        return None
    prepared = {
        # Overrides and limits are the plug-ins': they are prepared beside the entry that they change.
        key: value if key in {"sinks", "limits"} else binder.prepare(inner(JobOptions, key), value, (*place, key))
        for key, value in raw.items()
    }
    options = _options(prepared, place, binder)
    platform = _platform(prepared, known, binder, place)
    legs = _legs(prepared.get("sinks"), known, binder, (*place, "sinks"))
    if options is None or platform is None or not legs:
        return None
    return Job(name, options, platform, legs)


def _options(raw: Mapping[str, Any], place: Place, binder: Binder) -> JobOptions | None:
    try:
        return JobOptions.model_validate(raw)
    except ValidationError as error:
        explain(error, JobOptions, raw, lambda inside: (*place, *inside), binder.problems)
        return None


def _platform(raw: Mapping[str, Any], known: Known, binder: Binder, place: Place) -> Configured | None:
    name = raw.get("platform")
    if not isinstance(name, str):
        return None
    if name not in known.platform_names:
        binder.problems.add((*place, "platform"), _dangling("platform", name, known.platform_names))
        return None
    entry = known.platforms.get(name)
    limits = raw.get("limits")
    if entry is None:
        return None
    if isinstance(limits, dict) and limits:
        return entry.with_limits(binder, limits, (*place, "limits"))
    return entry.configure(binder, _reported)


def _legs(raw: object, known: Known, binder: Binder, place: Place) -> tuple[Configured, ...]:
    if not isinstance(raw, list):
        return ()
    legs: list[Configured] = []
    seen: set[str] = set()
    for index, item in enumerate(raw):
        here: Place = (*place, index)
        name, overrides = _entry(item)
        if name is None:
            continue
        if name in seen:
            binder.problems.add(here, f"sink '{name}' stands twice")
        seen.add(name)
        if name not in known.sink_names:
            binder.problems.add(here, _dangling("sink", name, known.sink_names))
        entry = known.sinks.get(name)
        if entry is not None:
            leg = (
                entry.with_options(binder, overrides, (*here, name))
                if overrides
                else entry.configure(binder, _reported)
            )
            legs += [leg] if leg is not None else []
    return tuple(legs)


def _entry(item: object) -> tuple[str | None, Mapping[str, Any]]:
    if isinstance(item, str):
        return item, {}
    if isinstance(item, dict) and len(item) == 1:
        name, overrides = next(iter(item.items()))
        return str(name), overrides if isinstance(overrides, dict) else {}
    return None, {}


def _check_order(raw: Mapping[str, Any], binder: Binder) -> None:
    """Refuse `schedule.after` that names no job, or leads back to itself."""
    after = dict(_after(raw))
    for name, first in after.items():
        place: Place = ("jobs", name, "schedule", "after")
        if first not in raw:
            binder.problems.add(place, _dangling("job", first, raw))
            continue
        path = [name]
        while (follows := after.get(path[-1])) is not None and follows not in path:
            path.append(follows)
        if follows == name:
            binder.problems.add(place, f"jobs wait for each other: {' after '.join([*path, name])}")


def _after(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, options in raw.items():
        schedule = options.get("schedule") if isinstance(options, dict) else None
        first = schedule.get("after") if isinstance(schedule, dict) else None
        if isinstance(first, str):
            yield name, first


def _dangling(what: str, name: str, names: frozenset[str] | Mapping[str, Any]) -> str:
    return f"no {what} '{name[:64]}'; {suggestion(name, names, nothing=f'no {what} is configured')}"


def _reported(_inside: Place) -> Place | None:
    """Drop problems that are reported where the entry stands."""
    return None
