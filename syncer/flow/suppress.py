"""The list of what was erased, as a run meets it.

It lies in the state and at every destination, and a run brings it up to date wherever a copy is missing: so it survives
the loss of either.
"""

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from syncer.flow.job import Job
from syncer.model.entries import Leg
from syncer.model.erasure import NOTE
from syncer.model.errors import LegFailed, NotNow
from syncer.model.suppression import Mark, Suppression
from syncer.ports import StateStore

#: Names of the notes that hold the list in the state.
_SECRET, _TOKEN = "key ", "token "


def shelf(job: Job) -> str:
    """Return the name under which the state keeps the list of a platform's account, for all jobs that read it."""
    return f"(erased) {job.platform_type} {job.source.origin} {job.source.account}".rstrip()


class Shelved(msgspec.Struct):
    """The list as a run found it."""

    whole: Suppression = msgspec.field(default_factory=Suppression)
    #: Legs whose destination does not have all of it yet.
    lacking: set[Leg] = msgspec.field(default_factory=set)


async def suppression(job: Job, store: StateStore, *, heal: bool = True) -> Shelved:
    """Return what the state and the destinations of a job know of the list; with `heal`, the state gets all of it.

    A destination that is away is not asked: opening its leg says so.

    Raises:
        SettingsError, DestinationChanged: a copy can't be read.
    """
    here = of_notes(await store.recall(shelf(job)))
    there: dict[Leg, Suppression] = {}
    whole = here
    for sink in job.sinks:
        with suppress(LegFailed):
            there[sink.name] = await sink.manifest(job.name).suppression() or Suppression()
            whole = whole.merged(there[sink.name])
    if heal:
        await keep(job, store, whole, before=here)
    return Shelved(whole, {leg for leg, copy in there.items() if whole and copy.marks != whole.marks})


async def remembered(job: Job, store: StateStore) -> Shelved:
    """Return what the state alone knows: for a part of a run whose beginning has asked the destinations."""
    return Shelved(of_notes(await store.recall(shelf(job))))


async def refuse_underway(job: str, store: StateStore) -> None:
    """Make sure that no erasure of a job is under way: rows that it has removed already would look like deletions.

    Raises:
        NotNow: there is one.
    """
    if NOTE in await store.recall(job):
        message = f"an erasure of job {job} is not finished"
        raise NotNow(message, hint=f"run: syncer erase --resume {job} --yes")


async def keep(job: Job, store: StateStore, whole: Suppression, *, before: Suppression | None = None) -> None:
    """Write the list to the state, as far as it is not there."""
    known = notes_of(before or Suppression())
    new = {name: text for name, text in notes_of(whole).items() if known.get(name) != text}
    if new:
        await store.remember_all(shelf(job), new)


def notes_of(suppression: Suppression) -> dict[str, str]:
    """Return a list as notes: one a key, one a line."""
    notes = {f"{_SECRET}{name}": secret.hex() for name, secret in suppression.secrets.items()}
    for name, marks in suppression.marks.items():
        notes.update({f"{_TOKEN}{name} {token}": f"{mark.since} {mark.lifted}" for token, mark in marks.items()})
    return notes


def of_notes(notes: Mapping[str, str]) -> Suppression:
    """Read what `notes_of` wrote; other notes are left alone."""
    secrets: dict[str, bytes] = {}
    marks: dict[str, dict[str, Mark]] = {}
    for name, text in notes.items():
        if name.startswith(_SECRET):
            secrets[name.removeprefix(_SECRET)] = bytes.fromhex(text)
        elif name.startswith(_TOKEN):
            key, token = name.removeprefix(_TOKEN).split(" ")
            since, _, lifted = text.partition(" ")
            marks.setdefault(key, {})[token] = Mark(since, lifted)
    return Suppression(secrets, {name: marks.get(name, {}) for name in secrets})
