"""Ownership of a destination: one document a job, and no path that two jobs could both write."""

import random
from collections.abc import Iterable, Mapping

from syncer.model.errors import Conflict, Fenced, NotNow, SettingsError
from syncer.model.paths import MANIFEST_FOLDER, fold
from syncer.ports import Blobs, Claim, Clock
from syncer.sinks.documents import OwnerDocument, decode, encode

OWNER = "owner.json"
#: Bytes of an owner document that are read.
MAX_OWNER = 16 << 20
#: Attempts of a compare-and-swap before somebody else is told to come back later.
ATTEMPTS = 50
#: Seconds that somebody waits who was not first, times the number of attempts; a random part of it.
_WAIT = 0.02
#: How often, and after how many seconds, another job's unconfirmed claim is looked at again.
_TURNS = 40
_PAUSE = 0.1


async def take(blobs: Blobs, folder: str, claim: Claim, clock: Clock, *, adopt: bool) -> None:
    """Write or confirm a job's ownership, by compare-and-swap.

    A claim to new paths is written with epoch 0 first, then compared with those of other jobs, then confirmed: of two
    jobs that do so at once at least one sees the other, whatever moment either of them dies at. The first by name waits
    for the other to give in, so that one of them gets the place.

    Raises:
        SettingsError: another state, platform or job owns this place or a part of it.
        Fenced: a later epoch of the same unit was here.
    """
    name = f"{folder}/{OWNER}"
    for attempt in range(ATTEMPTS):
        if attempt:
            await clock.sleep(pause(attempt))
        present, tag = await _read(blobs, name)
        after = _moved(present, claim, f"{blobs.url}/{name}", adopt=adopt)
        if after == present:
            return
        new = [path for path in claim.paths if present is None or not present.claims.get(path)]
        if new or adopt:
            await _keep_apart(blobs, name, claim, clock, adopt=adopt)
            tag = await _put(blobs, name, _with_claims(after, {**after.claims, **dict.fromkeys(new, 0)}), tag)
            if tag is None:
                continue
            try:
                await _keep_apart(blobs, name, claim, clock, adopt=adopt, waits=True)
            except SettingsError:
                await _withdraw(blobs, name, new)
                raise
        if await _put(blobs, name, after, tag) is not None:
            return
    raise _busy(blobs, name)


async def owner_of(blobs: Blobs, folder: str) -> Claim | None:
    """Return who owns a job's place, None if nobody does."""
    document, _ = await _read(blobs, f"{folder}/{OWNER}")
    return None if document is None else document.claim()


def overlapping(one: str, other: str) -> bool:
    """Tell whether two claims share a name: equal, or one is a folder (`7/`, `` for all) that holds the other."""
    one, other = fold(one), fold(other)
    return one == other or any(
        (not outer or outer.endswith("/")) and inner.startswith(outer) for outer, inner in ((one, other), (other, one))
    )


def _moved(present: OwnerDocument | None, claim: Claim, where: str, *, adopt: bool) -> OwnerDocument:
    """Return the document as it has to be for a claim."""
    claims: Mapping[str, int] = {} if present is None else present.claims
    units: Mapping[str, int] = {} if present is None else present.units
    if present is not None and not adopt:
        _same_owner(present, claim, where)
    if present is not None and present.state == claim.state:
        _not_later(present, claim, where)
    elif present is not None:
        # Epochs of another state mean nothing to this one.
        claims, units = dict.fromkeys(claims, 0), {}
    ours = {path: max(claim.epoch, claims.get(path, 0)) for path in claim.paths}
    claims, units = {**claims, **ours}, {**units, **({claim.unit: claim.epoch} if claim.unit else {})}
    highest = max([claim.epoch, *claims.values(), *units.values()])
    return OwnerDocument(
        claim.job, claim.state, claim.platform, claim.origin, claim.account, highest, claims, units=units
    )


def _not_later(present: OwnerDocument, claim: Claim, where: str) -> None:
    """Refuse a claim whose unit, or (where none is named) whose path, a later epoch holds."""
    held, wanted = (present.units, (claim.unit,)) if claim.unit else (present.claims, claim.paths)
    for each in wanted:
        if held.get(each, 0) > claim.epoch:
            message = f"{where}: a later run took {each!r} over (epoch {held[each]}, ours is {claim.epoch})"
            raise Fenced(message, hint="nothing is lost: that run goes on with the work of this one")


def _same_owner(present: OwnerDocument, claim: Claim, where: str) -> None:
    if present.state != claim.state or present.job != claim.job:
        message = (
            f"{where}: this destination belongs to job {present.job!r} of state {present.state},"
            f" not to job {claim.job!r} of state {claim.state}"
        )
        hint = (
            "hand it over with `syncer adopt URL --job J`, or rebuild a lost state from it with `syncer state rebuild`"
        )
        raise SettingsError(message, hint=hint)
    for what in ("platform", "origin", "account"):
        before, now = getattr(present, what), getattr(claim, what)
        if before and now and before != now:
            message = f"{where}: job {claim.job!r} wrote here from the {what} {before}, and now reads from {now}"
            raise SettingsError(
                message, hint="give the job a destination of its own, or hand this one over: syncer adopt"
            )


async def _keep_apart(blobs: Blobs, own: str, claim: Claim, clock: Clock, *, adopt: bool, waits: bool = False) -> None:
    """Refuse what another job claims; adopting takes it away from that job.

    With `waits`, ours is written already: an unconfirmed claim of a job that comes after ours is about to be withdrawn,
    or confirmed if it was there first.
    """
    for name in await _others(blobs, own):
        for turn in range(_TURNS):
            document, _ = await _read(blobs, name)
            lost = {} if document is None else _shared(document, claim)
            if document is None or not lost:
                break
            if adopt:
                await _withdraw(blobs, name, lost)
                break
            unconfirmed = not any(document.claims[path] for path in lost)
            if waits and unconfirmed and document.job > claim.job and turn + 1 < _TURNS:
                await clock.sleep(_PAUSE)
                continue
            raise _refused(blobs, document, claim, lost)


def _refused(blobs: Blobs, document: OwnerDocument, claim: Claim, lost: Mapping[str, str]) -> SettingsError:
    theirs, mine = next(iter(lost.items()))
    message = (
        f"{blobs.url}: job {claim.job!r} would write {_shown(mine)},"
        f" and job {document.job!r} already writes {_shown(theirs)}"
    )
    hint = "give the jobs different urls or path templates, or hand it over with"
    return SettingsError(message, hint=f"{hint} `syncer adopt {blobs.url} --job {claim.job}`")


def _shared(document: OwnerDocument, claim: Claim) -> dict[str, str]:
    """Return the paths of another job that a claim meets, each with the one of ours that does."""
    return {theirs: mine for theirs in document.claims for mine in claim.paths if overlapping(theirs, mine)}


async def _withdraw(blobs: Blobs, name: str, paths: Iterable[str]) -> None:
    """Take paths out of an owner document, whoever else changes it meanwhile."""
    gone = frozenset(paths)
    for _ in range(ATTEMPTS):
        document, tag = await _read(blobs, name)
        if document is None or not gone & document.claims.keys():
            return
        kept = {path: epoch for path, epoch in document.claims.items() if path not in gone}
        if await _put(blobs, name, _with_claims(document, kept), tag) is not None:
            return
    raise _busy(blobs, name)


async def _others(blobs: Blobs, own: str) -> list[str]:
    """Return where other jobs have their owner documents, if they have one; by name."""
    # Only folders are listed: below them lie the segments of all units, and each new unit comes here twice.
    names = [f"{folder}/{OWNER}" for folder in await blobs.folders(MANIFEST_FOLDER)]
    return [name for name in names if name != own]


async def _read(blobs: Blobs, name: str) -> tuple[OwnerDocument | None, str | None]:
    found = await blobs.get(name, MAX_OWNER)
    if found is None:
        return None, None
    return decode(found[0], OwnerDocument, f"{blobs.url}/{name}"), found[1]


async def _put(blobs: Blobs, name: str, document: OwnerDocument, tag: str | None) -> str | None:
    """Replace the document that has this tag; return the new tag, None if somebody else was first."""
    try:
        return await blobs.put(name, encode(document), create=tag is None, match=tag)
    except Conflict:
        return None


def pause(attempt: int) -> float:
    """Return how long to wait before a compare-and-swap is tried again: those who met should not meet again."""
    return _WAIT * min(attempt + 1, 20) * random.random()  # noqa: S311  # spreads writers, protects nothing


def _busy(blobs: Blobs, name: str) -> NotNow:
    message = f"{blobs.url}/{name} is changed all the time by others"
    return NotNow(message, hint="run again when fewer processes work on this destination")


def _with_claims(document: OwnerDocument, claims: Mapping[str, int]) -> OwnerDocument:
    return OwnerDocument(
        document.job, document.state, document.platform, document.origin, document.account, document.epoch, claims,
        units=document.units,
    )  # fmt: skip


def _shown(path: str) -> str:
    return repr(path) if path else "the whole of it"
