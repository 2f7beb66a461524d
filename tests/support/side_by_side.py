"""The real server and the emulated one, entered together, with projects that were seeded alike."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from syncer.demo.platform.server import LabelStudioPlatform
from tests.support.labelstudio import RealLabelStudio
from tests.support.studio import Json, Reply, Studio, seed_items

#: Tasks in each seeded project: every state twice, and three pages of 20.
COUNT = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers, with a project that was seeded like the other's."""

    studio: Studio
    project: int
    tasks: Sequence[int]

    async def get(self, path: str, **params: Any) -> Reply:
        """Ask; `{p}`, `{t0}` and `{t1}` in the path become this side's project and first and last task."""
        named = path.format(p=self.project, t0=self.tasks[0], t1=self.tasks[-1])
        if isinstance(params.get("query"), dict):
            params["query"] = json.dumps(params["query"])
        return await self.studio.send("GET", named, params=params)

    async def places(self, query: Json, **params: Any) -> tuple[int, Any]:
        """Return what a query selects, as status, total, sum of annotations and places among the seeded tasks."""
        reply = await self.get("/api/tasks", project=self.project, include="id", query=query, **params)
        if reply.status != 200:
            return reply.status, ""
        page = reply.json()
        return 200, (page["total"], page["total_annotations"], [self.tasks.index(row["id"]) for row in page["tasks"]])


@asynccontextmanager
async def both(server: RealLabelStudio, count: int = COUNT) -> AsyncIterator[tuple[Side, Side]]:
    """Enter both servers, each with a project of the same tasks: real, emulated."""
    async with AsyncExitStack() as stack:
        emulated = await stack.enter_async_context(LabelStudioPlatform())
        sides = []
        for studio in (server.client(), Studio(emulated.url, emulated.token)):
            await stack.enter_async_context(studio)
            project = await studio.create_project("Faithful")
            sides.append(Side(studio, project, await studio.import_tasks(project, list(seed_items(count)))))
        yield sides[0], sides[1]
        await sides[0].studio.delete_project(sides[0].project)


def item(column: str, operator: str, value: Json, kind: str = "Number") -> Json:
    """Return one filter."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def query(*items: Json, conjunction: str = "and", **more: Json) -> Json:
    """Return a query of some filters."""
    return {"filters": {"conjunction": conjunction, "items": list(items)}, **more}
