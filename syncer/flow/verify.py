"""Verifying: what the manifest says against what really lies there; nothing is changed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Literal

import msgspec

from syncer.model.errors import DestinationChanged
from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow
from syncer.ports import Found, Manifest, Sink

#: missing: the manifest names it, and it is not there. damaged: it is there and not what the manifest says.
#: extra: it is there, and no row ever named it.
Kind = Literal["missing", "damaged", "extra"]

#: Bytes of a sha256.
_DIGEST = 32


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with a destination."""

    kind: Kind
    #: Of an object or entry; the container's own name for one as a whole, empty if nothing of it can be told.
    path: str
    detail: str
    #: Archive that the entry belongs to.
    container: str | None = None
    #: The item that the path belongs to; None for extra ones, and for an archive as a whole.
    key: ItemKey | None = None


def is_stray(finding: Finding) -> bool:
    """Tell whether a finding is an object of its own that no row ever named."""
    return finding.kind == "extra" and finding.container is None


def lost_containers(findings: Sequence[Finding], *, strict: bool = False) -> list[str]:
    """Return the containers that can only be made anew: gone, or without a directory that can be read.

    With `strict`, also those where anything is wrong: for when mending the named entries did not help.
    """
    harmed = [each for each in findings if each.container is not None and (strict or not each.path)]
    return sorted({each.container for each in harmed if each.container is not None})


class _Expected(msgspec.Struct, frozen=True):
    key: ItemKey
    size: int
    #: Raw digest: half the memory of its hex form. None: what the manifest has in its place is none.
    sha256: bytes | None


class Survey(msgspec.Struct):
    """The merged manifest of one sink, reduced to what a comparison needs."""

    #: By (container, path).
    current: dict[tuple[str | None, str], _Expected]
    #: Places of superseded and deleted rows: bytes may still lie there, rightly.
    former: set[tuple[str | None, str]]

    @classmethod
    async def read(cls, manifest: Manifest) -> "Survey":
        """Merge all segments: the last row of a key wins."""
        survey = cls({}, set())
        places: dict[ItemKey, tuple[str | None, str]] = {}
        async with aclosing(manifest.rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            async for _, row in rows:
                survey._add(row, places)
        return survey

    def _add(self, row: ManifestRow, places: dict[ItemKey, tuple[str | None, str]]) -> None:
        before = places.pop(row.key, None)
        place = (row.container, row.path)
        if before is not None:
            self.current.pop(before, None)
            self.former.add(before)
        if row.op == "delete":
            self.former.add(place)
            return
        places[row.key] = place
        self.former.discard(place)
        self.current[place] = _Expected(row.key, row.size, _digest(row.sha256))


async def verify(sink: Sink, job: str, *, deep: bool) -> AsyncIterator[Finding]:
    """Yield what is wrong with one sink of a job. `deep` reads and hashes every byte.

    Raises:
        DestinationChanged: there is no manifest, or it can't be read.
    """
    manifest = sink.manifest(job)
    head = await manifest.head()
    if head is None:
        message = f"{sink.name}: there is no manifest of job {job} at {sink.url}"
        hint = "nothing was stored there yet, or its manifest is lost: run the job, or the export, again"
        raise DestinationChanged(message, hint=hint)
    survey = await Survey.read(manifest)
    owner = await manifest.owner()
    claims = ("",) if owner is None else owner.paths
    met: set[tuple[str | None, str]] = set()
    broken: set[str] = set()
    async for found in sink.scan(head.containers, deep=deep):
        place = (found.container, found.path)
        met.add(place)
        if found.container is not None and not found.path:
            broken.add(found.container)
        finding = _compare(found, survey)
        # Several jobs may share a root: what lies outside our claims is nobody's business here.
        ours = found.container is not None or any(found.path.startswith(claim) for claim in claims)
        if finding is not None and (ours or finding.kind != "extra"):
            yield finding
    for place, expected in survey.current.items():
        container, path = place
        if place not in met and container not in broken:
            yield Finding("missing", path, "not there", container, expected.key)


def _compare(found: Found, survey: Survey) -> Finding | None:
    place = (found.container, found.path)
    expected = survey.current.get(place)
    if found.damage is not None:
        return Finding("damaged", found.path, found.damage, found.container, expected.key if expected else None)
    if expected is None:
        if place in survey.former:
            return None
        return Finding("extra", found.path, "no row of the manifest names it", found.container)
    wrong = None
    if expected.sha256 is None:
        wrong = "what the manifest gives as its sha256 is none"
    elif found.size != expected.size:
        wrong = f"{found.size:,} bytes instead of {expected.size:,}"
    elif found.sha256 is not None and bytes.fromhex(found.sha256) != expected.sha256:
        wrong = "its sha256 is not that of the manifest"
    return None if wrong is None else Finding("damaged", found.path, wrong, found.container, expected.key)


def _digest(text: str) -> bytes | None:
    """Read a digest of the manifest, which anybody may have written."""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        return None
    return digest if len(digest) == _DIGEST else None
