"""What the daemon's command puts beside the scheduler: the listeners of supervisors, of people and of programs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncer.app.daemon import Side
from syncer.cli.context import Session
from syncer.observe import Hub
from syncer.observe.metrics import Metrics
from syncer.ports import Control, Overview
from syncer.serve.ops import open_ops
from syncer.serve.ui import open_ui


def probes(session: Session, metrics: Metrics) -> Side:
    """Return the side that answers probes and scrapes; the log says where. Nothing is counted where it is off."""
    options, clock = session.syncer.settings.serve.ops, session.syncer.clock

    @asynccontextmanager
    async def side(overview: Overview, _control: Control, hub: Hub) -> AsyncIterator[None]:
        if options.enabled:
            hub.add(metrics)
        try:
            async with open_ops(overview, metrics, options, clock=clock, emit=hub.emit) as url:
                if url is not None:
                    session.logger.info("probes and metrics", url=url)
                yield
        finally:
            hub.remove(metrics)

    return side


def page(session: Session) -> Side:
    """Return the side that serves the page, the API and hooks; the log says where."""

    @asynccontextmanager
    async def side(overview: Overview, control: Control, hub: Hub) -> AsyncIterator[None]:
        options, clock = session.syncer.settings.serve.ui, session.syncer.clock
        async with open_ui(overview, control, options, clock, hub.emit) as url:
            if url is not None:
                session.logger.info("page", url=url)
            yield

    return side
