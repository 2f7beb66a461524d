"""What the daemon's command puts beside the scheduler for supervisors: probes, and metrics that count what happens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncer.app.daemon import Side
from syncer.cli.context import Session
from syncer.observe import Hub
from syncer.observe.metrics import Metrics
from syncer.observe.outcomes import Outcomes
from syncer.ports import Control, Overview
from syncer.serve.ops import open_ops


def supervisors(session: Session) -> Side:
    """Return the side that answers probes and scrapes; the log says where. Nothing is counted where it is off."""
    options, clock = session.syncer.settings.serve.ops, session.syncer.clock

    @asynccontextmanager
    async def side(overview: Overview, _control: Control, hub: Hub) -> AsyncIterator[None]:
        metrics = Metrics(Outcomes(overview.version))
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
