"""The linking platform and its source: listed by pages, fetched through signed links, resumed where a body broke."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio.to_thread
import httpx
import pytest

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed
from syncer.model.refs import AnnotationRef, Cursor, ItemKey, Page, Partition
from syncer.net.client import open_http
from syncer.ports import Clock, Selection
from tests.emulators.link import PAGE, TOKEN, LinkPlatform
from tests.emulators.link_process import link_process
from tests.emulators.link_source import PROJECT, LinkOptions, LinkSource
from tests.support.clock import InstantClock, RealClock
from tests.support.mirror import Known, Mirror
from tests.support.scratch import MemorySpool


@asynccontextmanager
async def reading(
    url: str, content_url: str, clock: Clock | None = None, threshold: int = 1 << 20
) -> AsyncIterator[LinkSource]:
    """Open a source over the real HTTP door."""
    options = LinkOptions(url=url, token=TOKEN, content_hosts=[content_url])
    async with open_http(
        options.network(), clock or InstantClock(), lambda _: None, MemorySpool(threshold)
    ) as http:  # fmt: skip
        yield LinkSource(options, http)


async def listed(source: LinkSource, since: Cursor | None = None) -> list[Page]:
    """List a pass to its end."""
    partition = Partition(PROJECT)
    return [page async for page in source.discover(partition, since, Known(Mirror(source, partition), live=0))]


async def opened(source: LinkSource, refs: Sequence[AnnotationRef]) -> list[Body | ItemFailed]:
    """Open references one after the other."""
    return [outcome async for outcome in source.open(refs)]


async def test_pages_carry_links_and_a_cursor() -> None:
    """A full pass lists every item in pages of a thousand and ends "full"; a next pass lists only what was edited."""
    async with LinkPlatform(2 * PAGE + 5) as platform, reading(platform.url, platform.content_url) as source:
        assert [partition.key async for partition in source.partitions(Selection())] == [PROJECT]
        pages = await listed(source)
        assert [len(page.refs) for page in pages] == [PAGE, PAGE, 5]
        assert [page.end for page in pages] == [None, None, "full"]
        platform.change(7)
        platform.remove(8)
        (delta,) = await listed(source, pages[-1].cursor)
        assert ([ref.key.item for ref in delta.refs], delta.end) == (["item-0000007"], "delta")
        assert [key.item for key in delta.gone] == ["item-0000008"]
        again = await listed(source, pages[0].cursor)
        assert [len(page.refs) for page in again] == [PAGE, 5]


async def test_documents_come_from_the_second_origin_without_a_credential() -> None:
    """Every document has the size and bytes that the platform made, is asked for once, and no token goes along."""
    async with LinkPlatform(50, 3000) as platform, reading(platform.url, platform.content_url) as source:
        (page,) = await listed(source)
        bodies = await opened(source, page.refs)
        assert [body.data for body in bodies if isinstance(body, Body)] == [platform.body(item) for item in range(50)]
        assert {len(platform.body(item)) for item in range(50)} == {3000}
        assert json.loads(platform.body(7))["id"] == "item-0000007"
        assert platform.stats()["times"] == {"1": 50}
        assert platform.tally.leaked == 0


async def test_an_expired_link_is_asked_for_again() -> None:
    """A link that ran out, and a reference without one, are replaced by a fresh link; a deleted item is gone."""
    async with LinkPlatform(3, link_seconds=-1) as platform, reading(platform.url, platform.content_url) as source:
        (page,) = await listed(source)
        platform.link_seconds = 60
        stranger = AnnotationRef(ItemKey("annotation", "link", None, None, "item-0000002"), "1")
        platform.remove(1)
        outcomes = await opened(source, [page.refs[0], page.refs[1], stranger])
        assert [isinstance(outcome, Body) for outcome in outcomes] == [True, False, True]
        assert isinstance(outcomes[1], ItemFailed)
        assert outcomes[1].gone


async def test_a_broken_body_goes_on_where_it_broke() -> None:
    """A cut body is completed by a range, a reset and a 503 by another request; an item that always fails is named."""
    async with LinkPlatform(4, 400_000) as platform, reading(platform.url, platform.content_url) as source:
        (page,) = await listed(source)
        platform.trouble(0, "cut")
        platform.trouble(1, "reset", "reset")
        platform.trouble(2, 503)
        platform.broken[3] = 500
        outcomes = await opened(source, page.refs)
        assert [body.data for body in outcomes if isinstance(body, Body)] == [platform.body(item) for item in range(3)]
        assert isinstance(outcomes[3], ItemFailed)
        assert not outcomes[3].gone


async def test_too_many_requests_are_throttled() -> None:
    """Above its rate the platform answers 429 with Retry-After, and the source still gets every document."""
    async with (
        LinkPlatform(60, rate=200, retry_after=0.05) as platform,
        reading(platform.url, platform.content_url, RealClock()) as source,
    ):
        (page,) = await listed(source)
        outcomes: list[Body | ItemFailed] = []

        async def fetch(refs: Sequence[AnnotationRef]) -> None:
            outcomes.extend(await opened(source, refs))

        async with anyio.create_task_group() as tasks:
            for start in range(0, 60, 4):
                tasks.start_soon(fetch, page.refs[start : start + 4])
        assert sum(isinstance(outcome, Body) for outcome in outcomes) == 60
        assert platform.tally.throttled > 0


async def test_workers_share_ports_and_counters() -> None:
    """Several processes answer on one pair of ports, count together, and end when their parent does."""
    options = ("--items", "400", "--size", "500", "--workers", "2", "--fail-every", "100")
    with link_process(*options) as remote:
        async with reading(remote.url, remote.content_url) as source:
            (page,) = await listed(source)
            outcomes = await opened(source, page.refs)
            assert all(isinstance(outcome, Body) for outcome in outcomes)
        stats = await anyio.to_thread.run_sync(remote.stats)
        assert stats["times"] == {"1": 396, "2": 4}
        assert stats["leaked"] == 0
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(remote.url)
