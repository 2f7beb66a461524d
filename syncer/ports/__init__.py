"""The doors: what each room may expect of its neighbours.

Everything that can be swapped (platforms, sinks, state, HTTP, bytes at rest, time) is reached
through a Protocol of this package. An adapter promises exactly what the docstrings say; the suites
in `tests/contract` hold every adapter, fakes included, to it. Everybody imports from here, by name:
`from syncer.ports import Clock`. Nothing here does anything.
"""

from syncer.model.rows import ManifestRow
from syncer.ports.blobs import About, BlobInfo, Blobs, KeptFile, Spool, SpoolWriter
from syncer.ports.clock import Clock
from syncer.ports.desk import CircuitState, Control, Health, JobState, JobView, LiveRun, Overview, PlatformView
from syncer.ports.fleet import FleetAccount, FleetQueue, FleetRun, FleetRunState, FleetView, FleetWorker, WorkerState
from syncer.ports.http import Authenticator, Http, Judge, Judgement, Meaning, Request, Response
from syncer.ports.ledger import Beside, Ledger
from syncer.ports.manifest import Claim, Head, Held, Manifest, Place, SegmentRef, Snapshot, Snapshots
from syncer.ports.plugins import SinkPlugin, SourcePlugin, Tools, Transform
from syncer.ports.quota import Account, Grant, Partner, Quota, Quotas, Refusal, Standing, Terms
from syncer.ports.reading import DocumentReader, OpenDocuments
from syncer.ports.share import Share, whole
from syncer.ports.sink import Found, Sink, SinkSession, Unit
from syncer.ports.source import Features, Known, Selection, Source
from syncer.ports.state import HeadNote, JobStatus, RunRow, StateStore

__all__ = [
    "About",
    "Account",
    "Authenticator",
    "Beside",
    "BlobInfo",
    "Blobs",
    "CircuitState",
    "Claim",
    "Clock",
    "Control",
    "DocumentReader",
    "Features",
    "FleetAccount",
    "FleetQueue",
    "FleetRun",
    "FleetRunState",
    "FleetView",
    "FleetWorker",
    "Found",
    "Grant",
    "Head",
    "HeadNote",
    "Health",
    "Held",
    "Http",
    "JobState",
    "JobStatus",
    "JobView",
    "Judge",
    "Judgement",
    "KeptFile",
    "Known",
    "Ledger",
    "LiveRun",
    "Manifest",
    "ManifestRow",
    "Meaning",
    "OpenDocuments",
    "Overview",
    "Partner",
    "Place",
    "PlatformView",
    "Quota",
    "Quotas",
    "Refusal",
    "Request",
    "Response",
    "RunRow",
    "SegmentRef",
    "Selection",
    "Share",
    "Sink",
    "SinkPlugin",
    "SinkSession",
    "Snapshot",
    "Snapshots",
    "Source",
    "SourcePlugin",
    "Spool",
    "SpoolWriter",
    "Standing",
    "StateStore",
    "Terms",
    "Tools",
    "Transform",
    "Unit",
    "WorkerState",
    "whole",
]
