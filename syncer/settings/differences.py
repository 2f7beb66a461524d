"""What differs between two readings of a configuration, and what of it a running daemon can take."""

import hashlib
import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from syncer.model.secret import Secret
from syncer.settings.catalog import Configured, Job, Settings

#: When and how hard, never what and where: these change while runs go on. Everything else needs a restart, jobs that
#: come and go included: their destinations would have to be claimed or let go.
_LIVE = re.compile(
    r"jobs\.[^.]+\.(schedule|limits)(\..*)?"
    r"|platforms\.[^.]+\.limits(\..*)?"
    r"|(jobs\.[^.]+\.)?sinks\.[^.]+\.(publish|publish_every)"
    r"|daemon\.concurrency"
)

#: What processes that share a job's runs may have each in its own way.
_OWN = re.compile(rf"{_LIVE.pattern}|jobs\.[^.]+\.(priority|queue|commit)(\..*)?")


def differences(old: Settings, new: Settings) -> list[str]:
    """Return the dotted paths of the options that differ."""
    return list(dict.fromkeys(_differing(_tree(old), _tree(new), "")))


def is_live(path: str) -> bool:
    """Tell whether a running daemon can take a change of an option."""
    return _LIVE.fullmatch(path) is not None


def digest(job: Job) -> str:
    """Return a name for all that decides what a job moves and where: equal in processes that may share its runs.

    When it runs, how hard and with whose copy of a credential is each process's own business.
    """
    tree = {
        "jobs": {job.name: {**_job(job), "platform": None}},
        "platforms": {job.platform.name: _configured(job.platform)},
    }
    told = sorted(f"{path}={value!r}" for path, value in _leaves(tree, "") if not _OWN.fullmatch(path))
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif not isinstance(value, Secret):
        yield path, value


def _tree(settings: Settings) -> Mapping[str, object]:
    return {
        "state": settings.state,
        "spool": settings.spool,
        "memory": settings.memory,
        "log": settings.log,
        "daemon": settings.daemon,
        "fleet": settings.fleet,
        "serve": settings.serve,
        "platforms": {name: _configured(each) for name, each in settings.platforms.items()},
        "sinks": {name: _configured(each) for name, each in settings.sinks.items()},
        "jobs": {name: _job(each) for name, each in settings.jobs.items()},
    }


def _configured(entry: Configured) -> Mapping[str, object]:
    options = entry.options
    return {"type": entry.type, **{name: getattr(options, name) for name in type(options).model_fields}}


def _job(job: Job) -> Mapping[str, object]:
    options = {name: getattr(job.options, name) for name in type(job.options).model_fields}
    # With its own limits and overrides resolved, and in the order in which they stand.
    return {**options, "sinks": {leg.name: _configured(leg) for leg in job.legs}}


def _differing(old: object, new: object, path: str) -> Iterator[str]:
    if isinstance(old, BaseModel) and type(old) is type(new):
        names = type(old).model_fields
        yield from _differing(
            {name: getattr(old, name) for name in names}, {name: getattr(new, name) for name in names}, path
        )
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{path}.{name}" if path else str(name)
            if name in old and name in new:
                yield from _differing(old[name], new[name], inner)
            else:
                yield inner
    elif not _same(old, new):
        yield path


def _same(old: object, new: object) -> bool:
    if isinstance(old, Secret) and isinstance(new, Secret):
        # References are compared, never followed; only what stands in the file itself is there to be looked at.
        literal = old.source.startswith("a literal")
        return old.source == new.source and (not literal or old.reveal() == new.reveal())
    return old == new
