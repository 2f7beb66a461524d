"""Signals: the first SIGINT or SIGTERM drains, the second ends the process by that very signal."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

#: Called with the name of the first signal ("SIGTERM").
OnSignal = Callable[[str], None]


@asynccontextmanager
async def signals(on_first: OnSignal) -> AsyncIterator[None]:
    """Handle SIGINT and SIGTERM while the block runs.

    A process that dies by the signal itself tells its parent the truth (128 + n in a shell), and a supervisor
    never takes it for a failure of its own making.
    """
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async with anyio.create_task_group() as group:
            group.start_soon(_listen, received, on_first)
            try:
                yield
            finally:
                group.cancel_scope.cancel()


async def _listen(received: AsyncIterator[signal.Signals], on_first: OnSignal) -> None:
    first = True
    async for number in received:
        if not first:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            # The first process of a container is not killed by a signal's default action.
            os._exit(128 + number)
        first = False
        on_first(number.name)


@asynccontextmanager
async def hangups(on_each: Callable[[], None]) -> AsyncIterator[None]:
    """Call something on each SIGHUP while the block runs."""
    with anyio.open_signal_receiver(signal.SIGHUP) as received:
        async with anyio.create_task_group() as group:
            group.start_soon(_each, received, on_each)
            try:
                yield
            finally:
                group.cancel_scope.cancel()


async def _each(received: AsyncIterator[signal.Signals], on_each: Callable[[], None]) -> None:
    async for _ in received:
        on_each()
