"""What a run is asked to do: the job, and the options of this one pass."""

import hashlib
import json
from collections.abc import Callable, Mapping

import msgspec

from syncer.flow.redact import Redaction
from syncer.model.checkpoint import LegSpec
from syncer.ports import Selection, Share, Sink, Source, Transform, whole


class CommitPolicy(msgspec.Struct, frozen=True):
    """When a group of writes is sealed and committed: whichever comes first."""

    items: int = 500
    #: Bytes of documents.
    size: int = 32 * 1024 * 1024
    #: Seconds since the first write of the group.
    interval: float = 1.0


class Job(msgspec.Struct, frozen=True):
    """One platform's selection and the sinks that it feeds, assembled and ready to run."""

    name: str
    #: Name of the platform in the configuration, and its type.
    platform: str
    platform_type: str
    source: Source
    select: Selection
    sinks: tuple[Sink, ...]
    transform: Transform | None = None
    #: What is dropped from documents and columns before the transform, and before anything is written.
    redaction: Redaction | None = None
    commit: CommitPolicy = msgspec.field(default_factory=CommitPolicy)
    #: Documents fetched at once, at most; the network's own limits apply within.
    fetchers: int = 64
    #: Bytes of documents on their way between fetching and writing.
    budget: int = 16 * 1024 * 1024
    #: Units worked on at once.
    units: int = 4
    #: Partitions of a unit listed ahead of the one that is being planned.
    listing_ahead: int = 4
    #: Which part of the budget may be used.
    share: Share = whole

    @property
    def waiting(self) -> int:
        """Bytes of documents that are fetched, and wait to be written or are being written.

        Half the budget: so many keep a writer busy, and the rest would only be held longer.
        """
        return self.budget // 2

    @property
    def arriving(self) -> int:
        """Bytes of documents that are being fetched, or wait to be handed on.

        More than the budget behind them: a server that is far away needs many requests in flight.
        """
        return 2 * self.budget

    def leg_spec(self, sink: Sink) -> LegSpec:
        """Return what a ledger has to know of one of the job's sinks."""
        options = {**self.source.shape, **sink.shape}
        options["transform"] = "" if self.transform is None else self.transform.version
        if self.redaction is not None:
            options["redact"] = self.redaction.fingerprint
        text = json.dumps(options, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return LegSpec(sink.name, digest, options, sink.immediate, sink.url)

    def fixed(self) -> frozenset[str]:
        """Return the key fields that the selection fixes to one literal."""
        wanted: Mapping[str, tuple[str, ...]] = {
            "project": self.select.projects,
            "batch": self.select.batches,
            "annotation_type": self.select.annotation_types,
        }
        return frozenset(name for name, values in wanted.items() if len(values) == 1 and not is_glob(values[0]))


class RunOptions(msgspec.Struct, frozen=True):
    """Options of one pass, as the command line gives them."""

    #: Ignore cursors: list everything, fetch only what differs.
    relist: bool = False
    #: Ignore cursors and what is stored: fetch everything again.
    refetch: bool = False
    #: Stop after so many items or bytes were handed to the sinks, or seconds went by.
    max_items: int | None = None
    max_bytes: int | None = None
    max_time: float | None = None
    #: 0-based share of the units: (i, n).
    shard: tuple[int, int] | None = None
    #: Overrides `max_delete` of every sink.
    max_delete: int | None = None
    #: Treat items of partitions that are no longer selected as gone.
    prune: bool = False
    #: Partitions (project, or project/batch/type) whose absence is accepted as deletion.
    accept_gone: tuple[str, ...] = ()
    #: Accept a changed layout: items move to their new places.
    relayout: bool = False
    #: Take the destination over from another state or job.
    adopt: bool = False
    #: Leave owed items alone until their time comes, as a daemon does; a single pass tries them all.
    patient: bool = False
    #: Legs with archives that this run does not publish: what it stores waits there, durably, for a later run.
    hold: frozenset[str] = frozenset()
    #: Leave the status beside the data as it is if nothing was found: it was written a moment ago.
    sparing: bool = False
    #: A run that found nothing: if this one finds nothing either, it takes its place in the history.
    replaces: str | None = None


#: A seam for tests and plug-ins: called when the run should stop taking in new work.
Stop = Callable[[str], None]


def is_glob(text: str) -> bool:
    """Tell whether a selected name is a pattern."""
    return any(character in text for character in "*?[")
