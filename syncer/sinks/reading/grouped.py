"""Rows and labels in lists: what is handed over at once costs one hop, not one each."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def grouped(each: AsyncGenerator[T], size: int) -> AsyncGenerator[list[T]]:
    """Yield what comes in lists of `size`; the last one may be shorter. The generator is closed at the end."""
    batch: list[T] = []
    async with aclosing(each):
        async for one in each:
            batch.append(one)
            if len(batch) >= size:
                yield batch
                batch = []
    if batch:
        yield batch
