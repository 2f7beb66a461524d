"""A destination as its readers see it: the merged manifest, and the bytes that really lie there."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

from syncer.flow.verify import Survey
from syncer.model.containers import ending_of
from syncer.ports import Sink
from syncer.sinks.tables.row import read_line


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


def documents(path: Path) -> dict[str, str]:
    """Return the sha256 of every document of a table, as the row says it; each row says it of what it holds."""
    if ".parquet" in path.name:
        rows = pq.read_table(path).to_pylist()
        held = [(row["document"] or "").encode() if row["content"] is None else row["content"] for row in rows]
    else:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if ".gz" in path.name else raw
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw) if ".zst" in path.name else raw
        rows = [json.loads(line) for line in raw.splitlines()]
        held = [read_line(line)[1] for line in raw.splitlines()]
    found = {row["path"]: row["sha256"] for row in rows}
    assert len(found) == len(rows), "a row stands twice"
    for row, data in zip(rows, held, strict=True):
        assert hashlib.sha256(data).hexdigest() == row["sha256"], row["path"]
    return found


def contents(root: Path) -> dict[str, str]:
    """Return the sha256 of every document below a folder, or in one archive and its parts.

    Archives are read entry by entry; what is unfinished and the manifest are left out.
    """
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else [root] if root.is_file() else []:
        relative = path.relative_to(root).as_posix() if path != root else path.name
        if path.is_dir() or relative.startswith("_manifest/") or ".partial" in path.name or path.name.endswith(".next"):
            continue
        if ending_of(path.name) not in {None, ".zip"}:
            rows = documents(path)
            assert not found.keys() & rows.keys(), "a row stands in two files"
            found |= rows
        elif path.suffix == ".zip":
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
