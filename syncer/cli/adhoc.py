"""A job without a file: what `export PLATFORM --project P --to URL` means as platform, sink and job.

Pure, but for one look at the file system. The same destination always gives the same job, so a second call goes on
where the first one stopped.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from syncer.blobs.roots import canonical, is_bucket
from syncer.cli.exits import UsageError
from syncer.model.containers import LINES, PARQUET, ending_of
from syncer.settings.problems import suggestion
from syncer.settings.schema import FileOptions

#: Keys of the top of a configuration: a `--set` that begins with one of them is a full path already.
_TOP = frozenset({*FileOptions.model_fields, "platforms", "sinks", "jobs"})
#: What people also ask for, and can't have.
_OTHER_FILES = frozenset({".7z", ".bz2", ".csv", ".gz", ".json", ".ndjson", ".rar", ".tar", ".tgz", ".xz", ".zst"})
#: What kind of sink writes files of an ending.
_SINKS: Mapping[str, Mapping[str, str]] = {
    ".zip": {"type": "zip"},
    **{ending: {"type": "jsonl", "compression": how} for how, ending in LINES.items()},
    PARQUET: {"type": "parquet"},
}
#: Characters of a job's name before the digest.
_STEM = 40


class Choice(msgspec.Struct, frozen=True):
    """A platform as the command line named it."""

    name: str
    type: str
    #: It stands in the configuration; else its type was named, and its options come from `--set` and the environment.
    configured: bool

    def entries(self) -> dict[str, Any]:
        """Return what has to be added to the configuration for it."""
        return {} if self.configured else {"platforms": {self.name: {"type": self.type}}}


class Destination(msgspec.Struct, frozen=True):
    """Where `--to` points: the job that it stands for, and the sink that writes there."""

    job: str
    #: The one spelling of it, the archive's name included.
    url: str
    sink: Mapping[str, Any]


def choose(word: str, platforms: Mapping[str, Any], types: Iterable[str]) -> Choice:
    """Return the platform that a word means: a configured name, else a type.

    Raises:
        UsageError: it is neither, or the type of several.
    """
    known = {name: entry.get("type", "") for name, entry in platforms.items() if isinstance(entry, Mapping)}
    if word in known:
        return Choice(word, str(known[word]), configured=True)
    same = sorted(name for name, kind in known.items() if kind == word)
    if len(same) == 1:
        return Choice(same[0], word, configured=True)
    if same:
        raise UsageError(f"{len(same)} platforms are of type {word}", hint=f"name one: {', '.join(same)}")
    kinds = list(types)
    if word in kinds:
        return Choice(word, word, configured=False)
    raise UsageError(f"no platform {word!r}; {suggestion(word, [*known, *kinds])}", hint="see: syncer platforms")


def destination(to: str, folder: Path) -> Destination:
    """Return what `--to` means; a relative path counts from `folder`, the working directory. Blocks for one look.

    Raises:
        UsageError: it is a file that can't be written.
        SettingsError: it is no kind of destination that this version can write to.
    """
    if not to:
        raise UsageError("--to names no destination", hint="give out.zip, out.parquet, dir/, or s3://bucket/prefix/")
    url = canonical(to, folder)
    parent, _, name = url.rpartition("/")
    # Names in buckets are taken as they stand.
    name = name if is_bucket(to) else unquote(name)
    ending = ending_of(to.rstrip("/"))
    if ending is not None and ending in _SINKS and not (ending == ".zip" and to.endswith("/")):
        job, kind = _job_name(name.removesuffix(ending), url), _SINKS[ending]
        if to.endswith("/"):
            return Destination(job, url, {**kind, "url": url})
        # Braces in a file's name are no variables.
        plain = name.removesuffix("" if ending == ".zip" else ending).replace("{", "{{").replace("}", "}}")
        return Destination(job, url, {**kind, "url": parent, "name": plain})
    suffix = Path(to).suffix.lower()
    if not to.endswith("/") and suffix in {*_OTHER_FILES, ".zip"}:
        raise UsageError(
            f"--to {to}: only {', '.join(_SINKS)} and folders can be written",
            hint="end it with / if it is a folder or a prefix",
        )
    if not is_bucket(to) and (folder / Path(to.removeprefix("file:")).expanduser()).is_file():
        raise UsageError(f"--to {to}: is a file", hint="name a folder, or an archive that ends with .zip")
    return Destination(_job_name(name, url), url, {"type": "prefix", "url": url})


def dotted(assignments: Iterable[str], platform: str, sink: str | None = None) -> list[str]:
    """Return `--set` assignments with full paths: `url=…` is the platform's, `sink.on_delete=…` the sink's."""
    return [_dotted(assignment, platform, sink) for assignment in assignments]


def dotted_sink(assignments: Iterable[str], sink: str | None) -> list[str]:
    """Return `--set` assignments of a command that has no platform: `sink.endpoint=…` is the named sink's."""
    heads = [(assignment, assignment.strip().partition(".")) for assignment in assignments]
    return [
        f"sinks.{sink}.{rest}" if head == "sink" and dot and sink is not None else assignment
        for assignment, (head, dot, rest) in heads
    ]


def _dotted(assignment: str, platform: str, sink: str | None) -> str:
    key, equals, _ = assignment.partition("=")
    head, dot, _ = key.strip().partition(".")
    if not equals or not head or head in _TOP:
        return assignment
    if head == "sink" and dot and sink is not None:
        return f"sinks.{sink}.{assignment.strip().partition('.')[2]}"
    if head == "platform" and dot:
        return f"platforms.{platform}.{assignment.strip().partition('.')[2]}"
    return f"platforms.{platform}.{assignment.strip()}"


def missing(message: str, platform: str, defaults: Mapping[str, Any]) -> str | None:
    """Return how options of a platform without a file are given, if a message is about some of them."""
    names = dict.fromkeys(re.findall(rf"\bplatforms\.{re.escape(platform)}\.(\w+)", message))
    if not names:
        return None
    shown = [f"--set {name}={next(iter(defaults.get(name, ())), '…')}" for name in names]
    return f"without a configuration file, give it on the command line: {' '.join(shown)}"


def _job_name(name: str, url: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:_STEM] or "export"
    return f"{stem}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
