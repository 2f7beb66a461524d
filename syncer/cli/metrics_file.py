"""The outcome of a pass for Prometheus: a file for the node exporter's textfile collector, or a Pushgateway.

The figures are those that a daemon shows of its jobs' last runs, under the same names.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import syncer
from syncer.flow.fresh import HISTORY, fresh_until
from syncer.model.errors import SettingsError, SyncerError
from syncer.model.report import Report
from syncer.observe.exposition import plain
from syncer.observe.outcomes import Outcomes
from syncer.ports import StateStore


async def render(store: StateStore, jobs: Iterable[str], reports: Sequence[Report], allow_owed: int = 0) -> bytes:
    """Return the text: what jobs owe and up to when they are fresh, also of those that did not run."""
    outcomes = Outcomes(syncer.__version__, allow_owed)
    for job in jobs:
        # A state that is away is the run's problem, and told there; what it would have said is left out.
        with suppress(SyncerError):
            owed = (await store.status(job)).owed
            outcomes.known(job, max(owed.values(), default=0), fresh_until(await store.runs(job, HISTORY)))
        for report in reports:
            if report.job == job:
                outcomes.ended(report)
    return plain(outcomes.collect())


def write(path: Path, text: bytes) -> None:
    """Replace the file in one step, readable by the collector whoever it runs as. Blocks.

    Raises:
        SettingsError: it can't be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise SettingsError(f"--metrics-file {path}: {error.strerror}") from error
