"""Turns: a page of megabytes is read a few rows at a time, and the loop goes on in between."""

import asyncio
import json
from typing import Any

import pytest

from syncer.net.rows import LEAST, TURN
from syncer.ports import Request, Selection, Tools
from syncer.sources.label_studio import PLUGIN
from syncer.sources.label_studio.documents import Reader
from syncer.sources.label_studio.rows import Row
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp
from tests.support.mirror import Mirror

STAMP = "2026-11-22T10:00:00.000001Z"


def task(number: int, size: int) -> dict[str, Any]:
    """Return a finished task whose document has some bytes more than `size`."""
    annotation = {"id": number, "result": ["x" * size], "created_at": STAMP, "updated_at": STAMP}
    times = {"created_at": STAMP, "updated_at": STAMP}
    return {"id": number, "annotations": [annotation], "total_annotations": 1, **times}


@pytest.mark.parametrize(("count", "size"), [(1000, 500), (60, 100_000), (4, 2_000_000)])
async def test_between_two_turns_lie_few_bytes(monkeypatch: pytest.MonkeyPatch, count: int, size: int) -> None:
    """However many tasks are on a page and however large they are: never more than a turn's bytes and one task."""
    tasks = [task(number, size) for number in range(1, count + 1)]
    http, between, read, over = FakeHttp(), [0], Reader._whole, False

    def answer(request: Request) -> object:
        newest = "-tasks:id" in dict(request.params).get("query", "")
        return {"total": count, "tasks": tasks[-1:] if newest else tasks}

    def counted(self: Reader, raw: bytes) -> Row:
        between[-1] += max(len(raw), LEAST)
        return read(self, raw)

    async def other() -> None:
        while not over:
            between.append(0)
            await asyncio.sleep(0)

    http.on("/api/tasks/", answer)
    http.on("/api/projects/7/", {"id": 7, "title": "seven"})
    monkeypatch.setattr(Reader, "_whole", counted)
    settings = PLUGIN.options(url="http://127.0.0.1:1", token="t", page_size=1000)
    source = PLUGIN.create(settings, http, Tools("studio", InstantClock(), lambda _: None))
    (partition,) = [each async for each in source.partitions(Selection(projects=("7",)))]
    mirror = Mirror(source, partition)
    beside = asyncio.ensure_future(other())
    await mirror.sync()
    over = True
    await beside
    largest = max(max(len(json.dumps(each)), LEAST) for each in tasks)
    assert len(mirror.items) == count
    assert sum(between) >= count * size
    assert max(between) <= TURN + largest
