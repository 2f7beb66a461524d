"""A small client with which tests seed and edit a Label Studio: the real one and the emulated one alike."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

#: Label configuration that the seeds fit.
CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="car"/><Label value="person"/></RectangleLabels></View>'
)

Json = Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media(self) -> str:
        """Media type, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0]

    def json(self) -> Json:
        """Return the decoded body."""
        return json.loads(self.body)


class Studio:
    """One account on one server. Enter it to open a session; an unexpected status raises AssertionError."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(300))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, path: str, *, body: Json = None, params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        """Send one request and return whatever comes back; `headers` replace the token."""
        assert self._session is not None, "enter the Studio first"
        sent = {"Authorization": f"Token {self.token}"} if headers is None else dict(headers)
        async with self._session.request(method, self.url + path, json=body, params=params, headers=sent) as answer:
            return Reply(answer.status, dict(answer.headers), await answer.read())

    async def do(self, method: str, path: str, body: Json = None, **params: Any) -> Json:
        """Send one request that must succeed; return the decoded answer."""
        reply = await self.send(method, path, body=body, params=params)
        assert 200 <= reply.status < 300, f"{method} {path}: {reply.status} {reply.body[:300]!r}"
        return reply.json() if reply.body else None

    # --------------------------------------------------------------------------------------- seeding

    async def create_project(self, title: str = "A project", label_config: str = CONFIG, **settings: Any) -> int:
        """Create an empty project; return its id."""
        made = await self.do("POST", "/api/projects/", {"title": title, "label_config": label_config, **settings})
        return int(made["id"])

    async def delete_project(self, project: int) -> None:
        """Delete a project with all it holds."""
        await self.do("DELETE", f"/api/projects/{project}/")

    async def import_tasks(self, project: int, items: Sequence[Json], batch: int = 1000) -> list[int]:
        """Import tasks in bulk; return their ids."""
        path, ids = f"/api/projects/{project}/import", list[int]()
        for start in range(0, len(items), batch):
            made = await self.do("POST", path, items[start : start + batch], return_task_ids="true")
            ids += made["task_ids"]
        return ids

    async def upload(self, project: int, name: str, data: bytes) -> list[int]:
        """Import one file; return the ids of the tasks that it became."""
        assert self._session is not None, "enter the Studio first"
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(data), filename=name, content_type="image/png")
        sent = {"Authorization": f"Token {self.token}"}
        url = f"{self.url}/api/projects/{project}/import?return_task_ids=true"
        async with self._session.post(url, data=form, headers=sent) as answer:
            assert answer.status == 201, await answer.text()
            return list((await answer.json())["task_ids"])

    async def seed(self, count: int, title: str = "Seeded") -> tuple[int, list[int]]:
        """Create a project with `count` tasks in every state (`seed_items`); return its id and theirs."""
        project = await self.create_project(title)
        return project, await self.import_tasks(project, list(seed_items(count)))

    # --------------------------------------------------------------------------------------- editing

    async def annotate(self, task: int, result: Json = (), **more: Any) -> int:
        """Submit one annotation; return its id."""
        made = await self.do("POST", f"/api/tasks/{task}/annotations/", {"result": list(result), **more})
        return int(made["id"])

    async def patch_annotation(self, annotation: int, **changes: Any) -> Json:
        """Change an annotation; return it."""
        return await self.do("PATCH", f"/api/annotations/{annotation}/", changes)

    async def cancel(self, annotation: int) -> None:
        """Turn a finished annotation into a skipped one."""
        await self.patch_annotation(annotation, was_cancelled=True)

    async def delete_annotation(self, annotation: int) -> None:
        """Delete one annotation."""
        await self.do("DELETE", f"/api/annotations/{annotation}/")

    async def delete_annotations(self, project: int, tasks: Sequence[int]) -> None:
        """Delete all annotations of some tasks in one bulk action."""
        selected = {"selectedItems": {"all": False, "included": list(tasks)}}
        await self.do("POST", "/api/dm/actions", selected, id="delete_tasks_annotations", project=project)

    async def to_draft(self, annotation: int) -> None:
        """Take a submission back."""
        await self.do("POST", f"/api/annotations/{annotation}/convert-to-draft", {"result": []})

    async def add_draft(self, task: int) -> None:
        """Save unsubmitted work."""
        await self.do("POST", f"/api/tasks/{task}/drafts", {"result": []})

    async def patch_task(self, task: int, **changes: Any) -> None:
        """Change data or meta of a task."""
        await self.do("PATCH", f"/api/tasks/{task}/", changes)

    async def delete_task(self, task: int) -> None:
        """Delete a task and all that hangs on it."""
        await self.do("DELETE", f"/api/tasks/{task}/")

    # --------------------------------------------------------------------------------------- reading

    async def tasks(self, project: int, **params: Any) -> Json:
        """Return one page of the listing, envelope included; `query` may be an object."""
        if not isinstance(params.get("query", ""), str):
            params["query"] = json.dumps(params["query"])
        return await self.do("GET", "/api/tasks", project=project, **params)

    async def all_tasks(self, project: int, page_size: int = 500) -> list[Json]:
        """Return every task of a project with its annotations, pulled by id."""
        found: list[Json] = []
        while True:
            after = [{"filter": "filter:tasks:id", "operator": "greater", "type": "Number",
                      "value": found[-1]["id"] if found else 0}]  # fmt: skip
            query = {"filters": {"conjunction": "and", "items": after}}
            page = await self.tasks(project, fields="all", resolve_uri="false", page_size=page_size, query=query)
            found += page["tasks"]
            if page["total"] == len(page["tasks"]):
                return found

    # ---------------------------------------------------------------------------------------- tokens

    async def create_pat(self) -> str:
        """Return a new personal access token; the one before it, if any, is revoked (one a user)."""
        for old in await self.do("GET", "/api/token/"):
            await self.do("POST", "/api/token/blacklist/", {"refresh": old["token"]})
        made = await self.do("POST", "/api/token/")
        return str(made["token"])

    async def access_token(self, pat: str) -> str:
        """Exchange a personal access token for one that may be sent as `Bearer`."""
        reply = await self.send("POST", "/api/token/refresh/", body={"refresh": pat}, headers={})
        assert reply.status == 200, reply.body
        return str(reply.json()["access"])

    async def allow_legacy(self, *, allowed: bool) -> None:
        """Switch legacy tokens on or off; a PAT is needed to switch them on again."""
        await self.do(
            "POST", "/api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": allowed}
        )  # fmt: skip


def box(name: str, x: float = 10.25, label: str = "car") -> Json:
    """Return one rectangle of a result."""
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 1920,
        "original_height": 1080,
        "image_rotation": 0,
        "value": {"x": x, "y": 20.5, "width": 5.125, "height": 6.0625, "rotation": 0, "rectanglelabels": [label]},
    }


def seed_items(count: int, first: int = 0) -> Iterator[Json]:
    """Yield tasks in a fixed mix.

    Of each twenty: 2 unannotated, 1 skipped, 1 draft, 1 with two annotations, 1 with a prediction, 1 ground truth.
    """
    for number in range(first, first + count):
        data = {"image": f"https://images.example.com/{number:08d}.png", "source_id": f"src-{number:08d}"}
        item: dict[str, Any] = {"data": data, "meta": {"n": number}}
        done = {"result": [box(f"b{number}", number % 90 + 0.5)], "ground_truth": False, "lead_time": 3.25}
        match number % 20:
            case 3 | 13:
                pass
            case 5:
                item["annotations"] = [{"result": [], "was_cancelled": True, "ground_truth": False}]
            case 7:
                item["drafts"] = [{"result": [box(f"d{number}")]}]
            case 9:
                item["annotations"] = [done, {**done, "result": [box(f"s{number}", label="person")]}]
            case 11:
                item["annotations"] = [done]
                item["predictions"] = [{"result": [box(f"p{number}")], "model_version": "m1", "score": 0.5}]
            case 15:
                item["annotations"] = [{**done, "ground_truth": True}]
            case _:
                item["annotations"] = [done]
        yield item
