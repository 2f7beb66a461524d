"""Traces for OpenTelemetry: run → page → item → request, from the events alone; nothing of it is loaded when it is off.

Addresses stand without their queries, so no signed link and no credential leaves the process. Needs `syncer[otel]`.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec

from syncer.model import events
from syncer.model.errors import SettingsError
from syncer.model.refs import ItemKey, Piece
from syncer.model.running import Running, piece, running
from syncer.observe.hub import Hub

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

#: Variables that ask for traces, by the specification of OpenTelemetry.
_ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

#: Items whose span is open at a time, of one run; those beyond have none of their own.
MOST = 4096


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the environment asks for traces; off unless it does."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    if exporter:
        return exporter == "otlp"
    return any(environment.get(name) for name in _ASKING)


@contextmanager
def traced(hub: Hub, *, asked: bool = False) -> Iterator[None]:
    """Send traces of what happens while the block runs, if the environment or the caller asks for it.

    Raises on entering:
        SettingsError: it is asked for and not installed.
    """
    if not (asked or wanted()):
        yield
        return
    provider = open_provider()
    traces = Traces(provider.get_tracer("syncer"))
    hub.add(traces)
    try:
        yield
    finally:
        hub.remove(traces)
        traces.end()
        provider.shutdown()


def open_provider() -> "TracerProvider":
    """Return a provider of our own, which sends bounded batches as the standard variables say; nothing global is set.

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # an extra
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415  # same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # same
    except ImportError as error:
        raise SettingsError(
            "traces are asked for, and OpenTelemetry is not installed", hint="pip install 'annotation-syncer[otel]'"
        ) from error
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "syncer"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # Its queue is bounded: what a slow collector does not take is dropped, and the run goes on.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class _Trace(msgspec.Struct):
    """The spans of one run that are open, and where further ones belong."""

    span: "Span"
    context: "Context"
    items: "dict[ItemKey, Span]" = msgspec.field(default_factory=dict)


class Traces:
    """An observer that makes spans. They begin when something is first known of what they stand for."""

    def __init__(self, tracer: "Tracer") -> None:
        """Take what makes spans."""
        from opentelemetry import trace  # noqa: PLC0415  # an extra

        self._api = trace
        self._tracer = tracer
        self._runs: dict[Running, _Trace] = {}
        self._pages: WeakKeyDictionary[Piece, tuple[Span, Context]] = WeakKeyDictionary()

    def __call__(self, event: events.Event) -> None:
        """Follow one event."""
        this = running()
        if isinstance(event, events.RunStarted):
            attributes = {"syncer.job": event.job, "syncer.run": event.run, "syncer.sinks": list(event.legs)}
            span = self._tracer.start_span(f"sync {event.job}", attributes=attributes)
            self._runs[this or Running(event.job, event.run)] = _Trace(span, self._api.set_span_in_context(span))
            return
        run = self._runs.get(this) if this is not None else None
        if this is None or run is None:
            return
        match event:
            case events.RequestEnded():
                self._request(run, event)
            case events.PageListed(partition, refs):
                span, _ = self._page(run, piece() or Piece(partition), time.time_ns())
                span.set_attributes({"syncer.partition": str(partition), "syncer.items": refs})
                span.end()
            case events.ItemFetched(key, size):
                span = self._taken(run, key)
                span.set_attribute("syncer.bytes", size)
                span.end()
            case events.ItemOwed(key, reason):
                self._fail(self._taken(run, key), reason)
            case events.Retrying(attempt=attempt, wait=wait):
                run.span.add_event("retrying", {"attempt": attempt, "wait": wait})
            case events.RunEnded(report):
                counts = report.counts
                run.span.set_attributes(
                    {"syncer.listed": counts.listed, "syncer.stored": counts.stored, "syncer.owed": counts.owed,
                     "syncer.bytes": counts.bytes, "syncer.complete": report.complete,
                     "syncer.exit": int(report.exit_code())}
                )  # fmt: skip
                self._close(this, "; ".join(problem.message for problem in report.problems))
            case _:
                pass

    def end(self) -> None:
        """End the spans of runs that are still under way."""
        for this in list(self._runs):
            self._close(this, "the process ended")

    def _request(self, run: _Trace, event: events.RequestEnded) -> None:
        end = time.time_ns()
        began = end - int(event.seconds * 1e9)
        about = piece()
        context = run.context
        if about is not None and about.item is not None:
            span = run.items.get(about.item)
            if span is None and len(run.items) < MOST:
                span = run.items[about.item] = self._item(run, about.item, began)
            if span is not None:
                context = self._api.set_span_in_context(span)
        elif about is not None and about.page is not None:
            _, context = self._page(run, about.page, began)
        elif about is not None:
            _, context = self._page(run, about, began)
        method, _, url = str(event.target).partition(" ")
        attributes: dict[str, str | int] = {
            "http.request.method": event.method or method, "url.full": url, "server.address": event.origin,
            "http.response.body.size": event.size,
        }  # fmt: skip
        if event.status:
            attributes["http.response.status_code"] = event.status
        made = self._tracer.start_span(
            event.method, context, kind=self._api.SpanKind.CLIENT, attributes=attributes, start_time=began
        )
        if event.status == 0 or event.status >= 400:  # noqa: PLR2004  # RFC 9110 §15.5
            made.set_status(self._api.StatusCode.ERROR)
        made.end(end)

    def _page(self, run: _Trace, about: Piece, began: int) -> "tuple[Span, Context]":
        """Return the span of a page, also of one that has ended: work on its items belongs below it."""
        found = self._pages.get(about)
        if found is None:
            span = self._tracer.start_span("page", run.context, start_time=began)
            found = self._pages[about] = span, self._api.set_span_in_context(span)
        return found

    def _taken(self, run: _Trace, key: ItemKey) -> "Span":
        """Return the span of an item that is over; one of a document that came with its page has no length."""
        span = run.items.pop(key, None)
        return self._item(run, key, time.time_ns()) if span is None else span

    def _item(self, run: _Trace, key: ItemKey, began: int) -> "Span":
        about = piece()
        page = None if about is None else about if about.item is None and about.page is None else about.page
        known = None if page is None else self._pages.get(page)
        context = run.context if known is None else known[1]
        return self._tracer.start_span("item", context, attributes={"syncer.item": key.canonical()}, start_time=began)

    def _fail(self, span: "Span", reason: str) -> None:
        span.set_status(self._api.StatusCode.ERROR, reason)
        span.end()

    def _close(self, this: Running, problem: str) -> None:
        run = self._runs.pop(this)
        for span in run.items.values():
            span.end()
        if problem:
            run.span.set_status(self._api.StatusCode.ERROR, problem)
        run.span.end()
