"""What the daemon's command puts beside the scheduler: the listeners of people and programs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncer.app.daemon import Side
from syncer.cli.context import Session
from syncer.observe import Hub
from syncer.ports import Control, Overview
from syncer.serve.ui import open_ui


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
