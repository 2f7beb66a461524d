"""Datature Vi on a free port: `/workspaces/{ORG}/…` behind a secret key, and signed links on a second port.

The vendor's own client runs against it (tests/integration/test_datature_sdk.py); what it answers follows what that
client reads. Trouble is switched on with `faults` (see `syncer.demo.platform.faults`).
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from types import TracebackType
from typing import Self

from aiohttp import web

from syncer.demo.platform.faults import Faults, Subject
from tests.emulators.datature_content import Content
from tests.emulators.datature_data import EPOCH, ORG, Annotation, Asset, Dataset, Json, compact
from tests.emulators.datature_wire import cut, id_of, page_of, route_of

KEY = "dtvi_" + "k" * 98

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived, in order."""

    method: str
    route: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class NoSuch(Exception):
    """There is nothing of that name."""


@dataclass
class DataturePlatform:
    """The platform. Enter it to listen; edit its datasets at any time."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    org: str = ORG
    key: str = KEY
    #: Most rows of a page, whatever is asked for.
    most: int = 1000
    #: Answer `assetsWithObjects` at all.
    objects: bool = True
    #: Looks at an export that find it unfinished; and exports that fail in the end.
    export_polls: int = 1
    export_fails: bool = False
    #: When exports are made, in milliseconds; by default a moment after the last edit.
    export_time: Callable[[], int] | None = None
    #: Assets that the count has and no page shows.
    miscount: int = 0
    faults: Faults = field(default_factory=Faults)
    log: list[Asked] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        """Make the place for signed links."""
        self._moved = asyncio.Event()
        self.content = Content(moved=self._moved.set)
        self._runners: list[web.ServerRunner] = []

    def dataset(self, name: str = "ds0001", kind: str = "phrase-grounding") -> Dataset:
        """Return a dataset, made if it is not there."""
        return self.datasets.setdefault(name, Dataset(name, kind, self.org))

    def asked(self, route: str) -> int:
        """Return how often a route was asked."""
        return sum(each.route == route for each in self.log)

    async def __aenter__(self) -> Self:
        for handler in (self._answer, self.content.serve):
            runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.2)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
            self._runners.append(runner)
        self.url, self.content.url = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in self._runners)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    # --------------------------------------------------------------------------------------- requests

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/_stats":
            return web.Response(body=compact(await self._counts(request.query)), content_type=_JSON)
        route, names = route_of(request.rel_url.raw_path)
        query = dict(request.query)
        self.log.append(Asked(request.method, route, request.path, query, dict(request.headers)))
        self._moved.set()
        subject = Subject(route, f"{request.method} {request.path_qs}", {**query, "asset": (*names, "", "", "")[2]})
        for fault in self.faults.before(subject):
            if fault.kind == "latency":
                await asyncio.sleep(fault.seconds)
                continue
            answer = fault.replacement()
            if answer is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        status, body = await self._checked(request, route, names, query)
        response = web.Response(body=body, status=status, content_type=_JSON, headers={"Date": formatdate(usegmt=True)})
        for fault in self.faults.after(subject):
            if fault.kind == "cut":
                return await cut(request, body[: fault.keep], len(body))
        return response

    async def _counts(self, query: Mapping[str, str]) -> Mapping[str, int]:
        """Return requests by route, once there are `count` of a `route`."""
        while True:
            counts = {**Counter(each.route for each in self.log), "content": sum(self.content.asked.values())}
            counts["sent"] = sum(self.content.sent.values())
            if counts.get(query.get("route", ""), 0) >= int(query.get("count", "0")):
                return counts
            self._moved.clear()
            await self._moved.wait()

    async def _checked(
        self, request: web.BaseRequest, route: str, names: tuple[str, ...], query: Mapping[str, str]
    ) -> tuple[int, bytes]:
        headers = request.headers
        if headers.get("Authorization") != f"Bearer {self.key}":
            return 401, compact({"message": "Unauthorized"})
        if not route or headers.get("Organization-Id") != self.org or names[0] != self.org:
            return (403, compact({"message": "Forbidden"})) if route else (404, compact({"message": "no route"}))
        if request.method == "POST" and route == "exports":
            return 201, compact(self._create(self._find(names[1]), json.loads(await request.read())))
        if request.method != "GET":
            return 405, compact({"message": "Method not allowed"})
        handler: Callable[..., bytes] = getattr(self, f"_{route}")
        try:
            return 200, handler(query, *names[1:])
        except (KeyError, NoSuch) as error:
            return 404, compact({"message": f"{route} {error} not found"})

    def _find(self, composite: str) -> Dataset:
        found = self.datasets.get(composite.removeprefix(f"{self.org}_"))
        if found is None or found.composite != composite:
            raise NoSuch(composite)
        return found

    # -------------------------------------------------------------------------------------- resources

    def _workspace(self, _query: Mapping[str, str]) -> bytes:
        named = [dataset.composite for dataset in self.datasets.values()]
        return compact({"kind": "Workspace", "name": "Acme", "workspaceId": self.org, "datasets": named, "users": {}})

    def _datasets(self, query: Mapping[str, str]) -> bytes:
        return page_of(query, self.most, self.datasets.values(), id_of, lambda each: compact(each.resource()))

    def _dataset(self, _query: Mapping[str, str], dataset: str) -> bytes:
        return compact(self._find(dataset).resource())

    def _assets(self, query: Mapping[str, str], dataset: str) -> bytes:
        found = self._find(dataset).assets.values()
        return page_of(query, self.most, found, id_of, lambda each: self._asset_bytes(each, query))

    def _count(self, _query: Mapping[str, str], dataset: str) -> bytes:
        return compact({"count": len(self._find(dataset).assets) + self.miscount})

    def _asset(self, query: Mapping[str, str], dataset: str, asset: str) -> bytes:
        return self._asset_bytes(self._find(dataset).assets[asset], query)

    def _annotations(self, query: Mapping[str, str], dataset: str, asset: str) -> bytes:
        found = self._find(dataset).assets[asset].annotations.values()
        return page_of(query, self.most, found, id_of, Annotation.served)

    def _annotation(self, _query: Mapping[str, str], dataset: str, asset: str, annotation: str) -> bytes:
        return self._find(dataset).assets[asset].annotations[annotation].served()

    def _with_objects(self, query: Mapping[str, str], dataset: str) -> bytes:
        if not self.objects:
            raise NoSuch("assetsWithObjects")

        def render(asset: Asset) -> bytes:
            parts = [each.served() for each in asset.annotations.values()]
            parts = parts[: len(parts) - asset.hidden]
            return b'{"asset":%b,"objects":[%b]}' % (self._asset_bytes(asset, query), b",".join(parts))

        return page_of(query, self.most, self._find(dataset).assets.values(), id_of, render)

    def _folders(self, query: Mapping[str, str], dataset: str) -> bytes:
        names = sorted({asset.folder for asset in self._find(dataset).assets.values() if asset.folder})
        return page_of(query, self.most, names, str, lambda name: compact({"kind": "Folder", "name": name}))

    def _children(self, query: Mapping[str, str], dataset: str, folder: str) -> bytes:
        inside = [asset for asset in self._find(dataset).assets.values() if asset.folder == folder]
        if not inside:
            raise NoSuch(folder)

        def render(asset: Asset) -> bytes:
            return b'{"kind":"Asset","resource":%b}' % self._asset_bytes(asset, query)

        return page_of(query, self.most, inside, id_of, render)

    def _sessions(self, query: Mapping[str, str], dataset: str) -> bytes:
        sessions = self._find(dataset).sessions
        return page_of(query, self.most, sessions, lambda each: str(each["annotationImportSessionId"]), compact)

    def _exports(self, query: Mapping[str, str], dataset: str) -> bytes:
        exports = self._find(dataset).exports

        def render(export: Json) -> bytes:
            return compact(self._look(export))

        return page_of(query, self.most, exports, lambda each: str(each["datasetExportId"]), render)

    def _export(self, _query: Mapping[str, str], dataset: str, export: str) -> bytes:
        found = next((each for each in self._find(dataset).exports if each["datasetExportId"] == export), None)
        if found is None:
            raise NoSuch(export)
        found["polls"] += 1
        return compact(self._look(found))

    def _create(self, dataset: Dataset, body: Json) -> Json:
        name, now = f"export-{len(dataset.exports) + 1:04d}", (self.export_time or dataset.now)()
        export = {
            "kind": "DatasetExport", "workspaceId": self.org, "datasetId": dataset.composite, "datasetExportId": name,
            "spec": body["spec"], "polls": 0,
            "metadata": {"timeCreated": now, "lastUpdated": now, "generation": 1, "attributes": {}},
            "selfLink": f"{dataset.path()}/datasetExports/{name}", "etag": "e1",
        }  # fmt: skip
        dataset.exports.append(export)
        self.content.archive(f"{name}.zip", dataset)
        return self._look(export)

    def _look(self, export: dict[str, Json]) -> Json:
        done = export["polls"] > self.export_polls
        failed = self.export_fails or export.get("failed")
        finished = ("FailedReach" if failed else "Reached") if done else "Waiting"
        conditions = [
            {"condition": "Finished", "status": finished, "lastTransitionTime": EPOCH},
            {"condition": "Started", "status": "Reached", "lastTransitionTime": EPOCH},
        ]
        status: Json = {"conditions": conditions}
        if finished == "Reached":
            url, expires = self.content.link(f"exports/{export['datasetExportId']}.zip")
            status["downloadUrl"] = {"url": url, "expiresAt": expires}
        return {**{key: value for key, value in export.items() if key not in {"polls", "failed"}}, "status": status}

    def _asset_bytes(self, asset: Asset, query: Mapping[str, str]) -> bytes:
        if query.get("contents") != "y":
            return compact(asset.resource)
        self.content.files[f"assets/{asset.id}/{asset.resource['filename']}"] = asset.content
        url, expires = self.content.link(f"assets/{asset.id}/{asset.resource['filename']}")
        link = {"url": url, "expiry": expires}
        return compact({**asset.resource, "contents": {"asset": {**link, "method": "GET"}, "thumbnail": link}})
