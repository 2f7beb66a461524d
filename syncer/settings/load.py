"""Finds a configuration, reads it, and checks all of it before anything runs."""

import copy
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.redact import remember
from syncer.settings.bind import Binder
from syncer.settings.catalog import Catalog, Configured, Settings
from syncer.settings.document import Document, read
from syncer.settings.entries import Entry, read_entries
from syncer.settings.jobs import Known, read_jobs
from syncer.settings.overrides import from_assignments, from_environment
from syncer.settings.problems import Place, Problems, suggestion
from syncer.settings.schema import FileOptions
from syncer.settings.secrets import Seen, exposed
from syncer.settings.state import state_of
from syncer.settings.wording import explain, inner

#: The file that is read when none is named.
DEFAULT_FILE = "syncer.yaml"
#: Names the file where `-c` does not.
FILE_VARIABLE = "SYNCER_CONFIG"
#: Top-level keys that start so are the user's own: a place for YAML anchors.
EXTENSION = "x-"

_SECTIONS = ("platforms", "sinks", "jobs")


def find(given: Path | str | None = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the given file, else that of `SYNCER_CONFIG`, else `./syncer.yaml` if it is there, else None. Blocks."""
    named = given or (os.environ if environ is None else environ).get(FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    default = Path(DEFAULT_FILE)
    return default if default.is_file() else None


def load(
    catalog: Catalog,
    file: Path | None,
    *,
    sets: Iterable[str] = (),
    add: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    seen: Seen = remember,
) -> Settings:
    """Read, override and check a configuration. Blocks: call it from a thread, or before the loop runs.

    Args:
        catalog: The types that platforms and sinks can have.
        file: What `find` returned; None for no file (everything comes from `add` and overrides).
        sets: `KEY=VALUE` overrides of the command line; they win over `SYNCER__…` variables, which win over the file.
        add: A raw tree laid over the file's before the overrides, entry by entry, for commands that need no file.
        environ: Variables; by default the process's own.
        seen: Called with every credential that is read, so that logs and errors can mask it.

    Raises:
        SettingsError: the file can't be read, or an override makes no sense.
        SettingsRefused: something in it is wrong; all problems are listed.
    """
    variables = os.environ if environ is None else environ
    document = Document() if file is None else read(file)
    tree = _overridden(document, add or {}, variables, sets)
    base = Path.cwd() if file is None else file.absolute().parent
    problems = Problems(document.lines, file)
    binder = Binder(base, variables, problems, [], seen)

    top = _top(tree, binder)
    platforms = read_entries("platforms", _section(tree, "platforms", problems), catalog, binder)
    sinks = read_entries("sinks", _section(tree, "sinks", problems), catalog, binder)
    configured_platforms = _configure(platforms, binder)
    configured_sinks = _configure(sinks, binder)
    names = {section: frozenset(_section(tree, section, problems)) for section in _SECTIONS}
    known = Known(platforms, sinks, names["platforms"], names["sinks"])
    jobs = read_jobs(_section(tree, "jobs", problems), known, binder)
    state, state_url = _state(top.state, binder)
    problems.refuse()
    return Settings(
        base=base,
        file=file,
        state=state,
        state_url=state_url,
        spool=None if top.spool is None else base / Path(top.spool).expanduser(),
        memory=top.memory,
        log=top.log,
        platforms=configured_platforms,
        sinks=configured_sinks,
        jobs=jobs,
        daemon=top.daemon,
        fleet=top.fleet,
        serve=top.serve,
        notify=top.notify,
        warnings=tuple(dict.fromkeys(binder.warnings)),
    )


def _overridden(
    document: Document, add: Mapping[str, Any], environ: Mapping[str, str], sets: Iterable[str]
) -> dict[str, Any]:
    tree = copy.deepcopy(document.tree)
    changed: list[Place] = []
    for section, entries in add.items():
        here = tree.get(section)
        merged = dict(here) if isinstance(here, dict) and isinstance(entries, Mapping) else None
        tree[section] = copy.deepcopy(entries if merged is None else {**merged, **entries})
        changed += [(section, name) for name in entries] if isinstance(entries, Mapping) else [(section,)]
    changed += from_environment(tree, environ)
    changed += from_assignments(tree, sets)
    document.lines.update(dict.fromkeys(changed, 0))
    return tree


def _top(tree: Mapping[str, Any], binder: Binder) -> FileOptions:
    keys = set(FileOptions.model_fields)
    for key in tree:
        if key not in keys and key not in _SECTIONS and not key.startswith(EXTENSION):
            binder.problems.add((key,), f"unknown key; {suggestion(key, [*keys, *_SECTIONS])}")
    raw = {key: binder.prepare(inner(FileOptions, key), tree[key], (key,)) for key in keys if tree.get(key) is not None}
    try:
        return FileOptions.model_validate(raw)
    except ValidationError as error:
        explain(error, FileOptions, raw, lambda inside: inside, binder.problems)
        return FileOptions()


def _section(tree: Mapping[str, Any], section: str, problems: Problems) -> dict[str, Any]:
    entries = tree.get(section)
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        problems.add((section,), "expected a mapping of names")
        return {}
    return entries


def _configure(entries: Mapping[str, Entry], binder: Binder) -> dict[str, Configured]:
    found = [entry.configure(binder, entry.locate) for entry in entries.values()]
    return {configured.name: configured for configured in found if configured is not None}


def _state(text: str, binder: Binder) -> tuple[str, Secret]:
    try:
        warning = exposed(text, binder.base)
        if warning is not None:
            binder.warnings.append(f"state: {warning}")
        return state_of(text, binder.base, binder.environ, binder.seen)
    except SettingsError as error:
        binder.problems.add(("state",), str(error).removeprefix("state: "), error.hint)
        return "memory:", Secret.literal("memory:")
