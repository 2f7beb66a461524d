"""The outcome of a pass in Prometheus' text format, for the node exporter's textfile collector."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from syncer.model.errors import SettingsError
from syncer.model.report import Report

_ITEMS = ("listed", "stored", "unchanged", "owed", "filtered", "frozen", "updated", "deleted", "withdrawn", "held",
          "replayed", "unsettled")  # fmt: skip


@dataclass(slots=True)
class _Family:
    name: str
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def text(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} gauge"
        for labels, value in self.samples:
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{self.name}{{{inside}}} {value!r}"


def render(reports: Iterable[Report], allow_owed: int = 0) -> str:
    """Return the text, one sample a job and figure."""
    ended = _Family("syncer_last_run_timestamp_seconds", "When the last run ended.")
    seconds = _Family("syncer_last_run_duration_seconds", "How long the last run took.")
    code = _Family("syncer_last_run_exit_code", "Exit code of the last run; 0 is done.")
    complete = _Family("syncer_last_run_complete", "1 if everything selected was listed to its end.")
    items = _Family("syncer_last_run_items", "Items of the last run by what became of them.")
    size = _Family("syncer_last_run_bytes", "Bytes of the documents stored by the last run.")
    requests = _Family("syncer_last_run_requests", "Requests of the last run.")
    owed = _Family("syncer_owed_items", "Items that could not be had, earlier runs included.")
    for report in reports:
        job = {"job": report.job}
        counts = report.counts
        ended.samples.append((job, report.ended.timestamp()))
        seconds.samples.append((job, (report.ended - report.started).total_seconds()))
        code.samples.append((job, int(report.exit_code(allow_owed))))
        complete.samples.append((job, int(report.complete)))
        items.samples += [({**job, "result": name}, getattr(counts, name)) for name in _ITEMS]
        size.samples.append((job, counts.bytes))
        for name in ("requests", "retries", "throttled"):
            requests.samples.append(({**job, "kind": name}, getattr(counts, name)))
        owed.samples += [({**job, "sink": leg}, count) for leg, count in report.owed.items()]
    families: Sequence[_Family] = (ended, seconds, code, complete, items, size, requests, owed)
    return "\n".join(line for family in families if family.samples for line in family.text()) + "\n"


def write(path: Path, text: str) -> None:
    """Replace the file in one step, readable by the collector whoever it runs as. Blocks.

    Raises:
        SettingsError: it can't be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise SettingsError(f"--metrics-file {path}: {error.strerror}") from error


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
