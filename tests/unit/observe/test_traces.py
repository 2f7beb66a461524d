"""Traces: spans in the right places, nothing secret in them, and nothing at all unless they are asked for."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from syncer.model import events
from syncer.model.errors import Exit
from syncer.model.refs import Piece
from syncer.model.report import Problem
from syncer.model.running import works_for, works_on
from syncer.net.classify import Label
from syncer.observe.hub import Hub
from syncer.observe.traces import Traces, traced, wanted
from tests.support.happenings import EVERY, KEY, PARTITION, report

SIGNED = "https://user:pw@bucket.example/a/b.json?X-Signature=hunter2"
GET = events.RequestEnded("https://bucket.example", "GET", 200, 0.25, 4096, target=Label("GET", SIGNED))
REFUSED = events.RequestEnded("https://bucket.example", "GET", 503, 0.25, 0, target=Label("GET", SIGNED))


class Book:
    """Spans as the SDK's own exporter hands them out."""

    def __init__(self) -> None:
        """Keep them in memory."""
        self._memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self.traces = Traces(provider.get_tracer("syncer"))

    def spans(self) -> list[ReadableSpan]:
        """Return those that ended, in that order."""
        return list(self._memory.get_finished_spans())

    def paths(self) -> list[str]:
        """Return each with those above it: `sync street/page/GET`."""
        by_id = {span.context.span_id: span for span in self.spans() if span.context is not None}

        def path(span: ReadableSpan) -> str:
            parent = span.parent
            return span.name if parent is None else f"{path(by_id[parent.span_id])}/{span.name}"

        return [path(span) for span in self.spans()]


def test_run_page_item_request() -> None:
    """A page's own requests are below it, and the items that it listed, with theirs."""
    book = Book()
    page = Piece(PARTITION)
    with works_for("street", "1"):
        book.traces(events.RunStarted("street", "1", ("lake",)))
        with works_on(page):
            book.traces(GET)
            book.traces(events.PageListed(PARTITION, 1, 1))
        with works_on(Piece(PARTITION, KEY, page)):
            book.traces(REFUSED)
            book.traces(GET)
            book.traces(events.ItemFetched(KEY, 4096))
        book.traces(GET)
        book.traces(events.RunEnded(report()))
    assert book.paths() == [
        "sync street/page/GET",
        "sync street/page",
        "sync street/page/item/GET",
        "sync street/page/item/GET",
        "sync street/page/item",
        "sync street/GET",
        "sync street",
    ]
    request, _, refused, _, item, *_ = book.spans()
    assert request.attributes is not None
    assert request.attributes["url.full"] == "https://bucket.example/a/b.json"
    assert (request.end_time or 0) - (request.start_time or 0) == 250_000_000
    assert (refused.status.is_ok, item.status.is_ok) == (False, True)
    assert "hunter2" not in str([span.to_json() for span in book.spans()])
    assert "pw" not in str([span.to_json() for span in book.spans()])


def test_runs_side_by_side_are_traces_of_their_own() -> None:
    """What two jobs do at once is never in one trace; what belongs to no run is in none."""
    book = Book()
    book.traces(GET)
    for job in ("street", "highway"):
        with works_for(job, "1"):
            book.traces(events.RunStarted(job, "1", ()))
            book.traces(GET)
    for job in ("street", "highway"):
        with works_for(job, "1"):
            book.traces(events.RunEnded(report(job=job)))
    assert sorted(book.paths()) == ["sync highway", "sync highway/GET", "sync street", "sync street/GET"]
    assert len({span.context.trace_id for span in book.spans() if span.context is not None}) == 2


def test_trouble_is_an_error_and_nothing_stays_open() -> None:
    """An owed item, a failed run and a process that ends early all close their spans."""
    book = Book()
    with works_for("street", "1"):
        book.traces(events.RunStarted("street", "1", ()))
        with works_on(Piece(PARTITION, KEY)):
            book.traces(GET)
        book.traces(events.ItemOwed(KEY, "404"))
        book.traces(events.RunEnded(report(Problem("disk full", Exit.NOT_NOW))))
        book.traces(events.RunStarted("street", "1", ()))
        with works_on(Piece(PARTITION, KEY)):
            book.traces(GET)
    book.traces.end()
    _, item, run, _, cut, ended = book.spans()
    assert (item.status.description, run.status.description) == ("404", "disk full")
    assert (cut.name, ended.status.description) == ("item", "the process ended")


def test_every_event_is_followed() -> None:
    """No event, in whatever order it comes, ends a trace with an error."""
    book = Book()
    with works_for("street", "run-1"):
        for event in (*EVERY, *EVERY):
            book.traces(event)
    assert book.spans()


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
    ],
)
def test_only_the_standard_variables_turn_traces_on(environment: dict[str, str], on: bool) -> None:
    """Off unless a collector is named."""
    assert wanted(environment) is on


def test_nothing_is_loaded_while_traces_are_off() -> None:
    """The command does not even import OpenTelemetry then, and no observer is added."""
    hub = Hub()
    with traced(hub):
        assert hub._observers == ()
    script = "import sys, syncer.cli.living; print(any(name.startswith('opentelemetry') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Receive traces over HTTP as a collector does."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the door's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def test_traces_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard variables alone, in a batch, under the name of the service."""
    with collector() as (url, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        hub = Hub()
        with traced(hub), works_for("street", "1"):
            hub.emit(events.RunStarted("street", "1", ()))
            hub.emit(GET)
            hub.emit(events.RunEnded(report()))
    (batch,) = received
    (resource,) = batch.resource_spans
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert names["service.name"] == "syncer"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["GET", "sync street"]
    assert "hunter2" not in json.dumps(str(batch))
