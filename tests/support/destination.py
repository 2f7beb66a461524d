"""A destination as its readers see it: the merged manifest, and the bytes that really lie there."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from syncer.flow.verify import Survey
from syncer.ports import Sink


@dataclass(frozen=True, slots=True)
class Outcome:
    """«Same» means equal outcomes: the same rows of the merged manifest, the same bytes under the same names."""

    #: (key, path, size, sha256) of the merged manifest.
    rows: frozenset[tuple[str, str, int, str]]
    #: sha256 by path: of files, or of archive entries.
    files: Mapping[str, str]

    def check(self) -> "Outcome":
        """Check that every row has its bytes."""
        for _, path, _, sha256 in self.rows:
            assert self.files.get(path) == sha256, path
        return self


async def outcome(sink: Sink, job: str, root: Path) -> Outcome:
    """Return what a reader finds."""
    return await outcome_of(sink, job, contents(root))


async def outcome_of(sink: Sink, job: str, files: Mapping[str, str]) -> Outcome:
    """Return what a reader finds who sees these files, wherever they lie."""
    survey = await Survey.read(sink.manifest(job))
    rows = frozenset(
        (expected.key.canonical(), path, expected.size, (expected.sha256 or b"").hex())
        for (_, path), expected in survey.current.items()
    )
    return Outcome(rows, files).check()


def contents(root: Path) -> dict[str, str]:
    """Return the sha256 of every document below a folder, or in one archive and its parts.

    Archives are read entry by entry; what is unfinished and the manifest are left out.
    """
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else [root] if root.is_file() else []:
        relative = path.relative_to(root).as_posix() if path != root else path.name
        if path.is_dir() or relative.startswith("_manifest/") or ".partial" in path.name or path.name.endswith(".next"):
            continue
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                names = archive.namelist()
                assert len(set(names)) == len(names), "an entry stands twice"
                for name in names:
                    assert name not in found, "an entry stands in two archives"
                    found[name] = hashlib.sha256(archive.read(name)).hexdigest()
        else:
            found[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
