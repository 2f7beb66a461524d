"""The vendor's own client works against the emulated Label Studio: what it reads from a real one, it reads here."""

import hashlib
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from label_studio_sdk import LabelStudio

from syncer.demo.platform.edges import EDGES, seed_edges
from syncer.demo.platform.server import LabelStudioPlatform

# The client uses a method of pydantic 1 when it refreshes a token.
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method is deprecated")


async def ask(platform: LabelStudioPlatform, question: Callable[[Any], Any], key: str = "") -> Any:
    """Let the client ask in a thread of its own, so that the server can answer on this loop."""

    def asking() -> Any:
        make: Any = LabelStudio
        with httpx.Client(timeout=30) as client:
            return question(make(base_url=platform.url, api_key=key or platform.token, httpx_client=client))

    return await anyio.to_thread.run_sync(asking)


async def test_it_lists_projects_and_tasks() -> None:
    """Projects and all tasks with their annotations arrive, page by page, until the 404 that ends its listings."""
    async with LabelStudioPlatform(230) as platform:
        projects = await ask(platform, lambda client: list(client.projects.list()))
        assert [(project.id, project.task_number) for project in projects] == [(1, 230)]
        tasks = await ask(platform, lambda client: list(client.tasks.list(project=1, fields="all")))
        assert [task.id for task in tasks] == list(range(1, 231))
        assert sum(len(task.annotations or ()) for task in tasks) > 200
        assert [line.status for line in platform.traffic.log if line.route == "tasks"] == [200, 200, 200, 404]


async def test_it_gets_single_objects() -> None:
    """One project, task, annotation, a task's annotations, users and views arrive as the client's own types."""
    async with LabelStudioPlatform(40) as platform:
        assert (await ask(platform, lambda client: client.projects.get(1))).title == "Street scenes"
        assert (await ask(platform, lambda client: client.tasks.get("3"))).id == 3
        assert (await ask(platform, lambda client: client.annotations.get(5))).task == 3
        assert [a.id for a in await ask(platform, lambda client: client.annotations.list(19))] == [37, 38]
        assert (await ask(platform, lambda client: client.users.whoami())).email == "admin@example.com"
        assert len(list(await ask(platform, lambda client: client.users.list()))) == 1
        assert list(await ask(platform, lambda client: client.views.list(project=1))) == []


async def test_it_exchanges_a_personal_access_token() -> None:
    """Given a personal access token, it refreshes it for an access token and goes on with that."""
    async with LabelStudioPlatform(10) as platform:
        tasks = await ask(platform, lambda client: list(client.tasks.list(project=1)), platform.pat())
        assert len(tasks) == 10
        assert platform.auth.refreshes == 1


async def test_it_exports_json_and_snapshots() -> None:
    """The synchronous export holds every task, and a downloaded snapshot has the digest that its object names."""
    async with LabelStudioPlatform(60) as platform:
        assert len(await ask(platform, lambda client: client.projects.exports.as_json(1))) == 60
        made = await ask(platform, lambda client: client.projects.exports.create(1))
        assert made.status == "completed"
        body = await ask(
            platform, lambda client: b"".join(client.projects.exports.download(1, made.id, export_type="JSON"))
        )
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == made.md5


async def test_it_edits() -> None:
    """Importing, submitting, skipping and deleting through the client change what the server holds."""
    async with LabelStudioPlatform(10) as platform:
        await ask(platform, lambda client: client.projects.import_tasks(1, request=[{"data": {"image": "a.png"}}]))
        made = await ask(platform, lambda client: client.annotations.create(11, result=[{"id": "x"}]))
        assert platform.store.tasks.find(made.id) is not None
        changed = await ask(platform, lambda client: client.annotations.update(made.id, was_cancelled=True))
        assert changed.was_cancelled
        await ask(platform, lambda client: client.annotations.delete(made.id))
        assert platform.store.tasks.find(made.id) is None


async def test_it_waits_out_a_throttled_request() -> None:
    """A 429 with Retry-After is followed by one more request, as the client does it with the real service."""
    async with LabelStudioPlatform(10) as platform:
        platform.faults.storm(1, retry_after=0.01)
        assert (await ask(platform, lambda client: client.tasks.get("1"))).id == 1
        assert platform.traffic.statuses == {429: 1, 200: 1}


async def test_it_reads_every_edge() -> None:
    """Odd documents of every kind are JSON that the vendor's client can read."""
    async with LabelStudioPlatform() as platform:
        ids = seed_edges(platform.store, platform.store.create_project("Edges"))
        tasks = await ask(platform, lambda client: list(client.tasks.list(project=1, fields="all")))
        assert [task.id for task in tasks] == list(ids.values())
        assert set(ids) == set(EDGES)
