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
from syncer.ports.fleet import FleetQueue, FleetRun, FleetRunState, FleetView, FleetWorker, WorkerState
from syncer.ports.http import Authenticator, Http, Judge, Judgement, Meaning, Request, Response
from syncer.ports.ledger import Ledger
from syncer.ports.manifest import Claim, Head, Manifest, SegmentRef
from syncer.ports.plugins import SinkPlugin, SourcePlugin, Tools, Transform
from syncer.ports.quota import Account, Grant, Partner, Quota, Quotas, Refusal, Standing, Terms
from syncer.ports.share import Share, whole
from syncer.ports.sink import Found, Sink, SinkSession, Unit
from syncer.ports.source import Features, Known, Selection, Source
from syncer.ports.state import JobStatus, RunRow, StateStore

__all__ = [
    "About",
    "Account",
    "Authenticator",
    "BlobInfo",
    "Blobs",
    "CircuitState",
    "Claim",
    "Clock",
    "Control",
    "Features",
    "FleetQueue",
    "FleetRun",
    "FleetRunState",
    "FleetView",
    "FleetWorker",
    "Found",
    "Grant",
    "Head",
    "Health",
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
    "Overview",
    "Partner",
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
