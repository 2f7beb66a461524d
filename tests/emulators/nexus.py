"""Datature Nexus, the older API, on a free port: projects, assets and annotations behind a `Secret-Key`.

The vendor's own client (`datature`) runs against it (tests/integration/test_nexus_sdk.py).
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from types import TracebackType
from typing import Self

from aiohttp import web

from syncer.demo.platform.faults import Faults, Subject
from tests.emulators.datature_data import Json, compact

KEY = "nexus-secret-key-0001"
PROJECT = "proj_0001"
_JSON = "application/json"
_ROUTES = (
    ("workspace", r"/workspace"),
    ("projects", r"/workspace/projects"),
    ("project", r"/projects/([^/]+)"),
    ("assets", r"/projects/([^/]+)/assets"),
    ("annotations", r"/projects/([^/]+)/annotations"),
    ("annotation", r"/projects/([^/]+)/annotations/([^/]+)"),
)
_PATTERNS = tuple((name, re.compile(f"^{path}$")) for name, path in _ROUTES)


@dataclass
class NexusProject:
    """One project; ids are made from numbers."""

    id: str = PROJECT
    assets: dict[str, dict[str, Json]] = field(default_factory=dict)
    annotations: dict[str, dict[str, Json]] = field(default_factory=dict)
    #: Annotations that are served with a number that is none in JSON.
    spoiled: set[str] = field(default_factory=set)
    serial: int = 0

    def generate(self, count: int, parts: int = 2, status: str = "Completed", group: str = "main") -> None:
        """Add assets with annotations."""
        for _ in range(count):
            self.serial += 1
            name = f"asset_{self.serial:05d}"
            self.assets[name] = {
                "id": name, "projectId": self.id, "filename": f"img {self.serial}.png", "status": status,
                "createDate": 1_700_000_000_000 + self.serial, "url": "https://storage.example/x",
                "metadata": {"fileSize": 10, "mimeType": "image/png", "height": 4, "width": 4, "groups": [group]},
            }  # fmt: skip
            for _ in range(parts):
                self.annotate(name)

    def annotate(self, asset: str) -> str:
        """Add an annotation to an asset; return its id."""
        self.serial += 1
        name = f"annot_{self.serial:05d}"
        self.annotations[name] = {
            "id": name, "projectId": self.id, "assetId": asset, "tag": "dog", "boundType": "Polygon",
            "bound": [[0.1, 0.25], [0.5, 0.25], [0.5, 0.75]], "createDate": 1_700_000_000_000 + self.serial,
            "ontologyId": "ontology_1", "attributes": [{"id": "attri_1", "name": "Group", "value": ["person"]}],
        }  # fmt: skip
        return name

    def row(self, name: str, *, attributes: bool) -> bytes:
        """Return an annotation as it is served."""
        found = {key: value for key, value in self.annotations[name].items() if attributes or key != "attributes"}
        body = compact(found)
        return body[:-1] + b',"spoiled":NaN}' if name in self.spoiled else body


@dataclass
class NexusPlatform:
    """The platform. Enter it to listen; edit its projects at any time."""

    projects: dict[str, NexusProject] = field(default_factory=lambda: {PROJECT: NexusProject()})
    key: str = KEY
    #: Most rows of a page, whatever is asked for.
    most: int = 1000
    faults: Faults = field(default_factory=Faults)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""
    _runner: web.ServerRunner | None = None

    @property
    def project(self) -> NexusProject:
        """The first project."""
        return self.projects[PROJECT]

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        found = ((name, pattern.match(request.path)) for name, pattern in _PATTERNS)
        route, names = next(((name, match.groups()) for name, match in found if match), ("", ()))
        self.asked.append(route)
        self.headers.append(dict(request.headers))
        query = request.query
        for fault in self.faults.before(Subject(route, request.path_qs, dict(query))):
            answer = fault.replacement()
            assert answer is not None
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        date = {"Date": formatdate(usegmt=True)}
        if request.headers.get("Secret-Key") != self.key:
            return web.Response(status=401, body=compact({"message": "Invalid secret key"}), content_type=_JSON)
        try:
            handler: Callable[..., bytes] = getattr(self, f"_{route or 'nothing'}")
            body = handler(query, *names)
        except KeyError as error:
            return web.Response(status=404, body=compact({"message": f"no {error}"}), content_type=_JSON)
        return web.Response(body=body, content_type=_JSON, headers=date)

    def _nothing(self, _query: Mapping[str, str]) -> bytes:
        raise KeyError("route")

    def _workspace(self, _query: Mapping[str, str]) -> bytes:
        return compact({"id": "ws_1", "name": "Acme", "owner": "user_1", "tier": "pro", "createDate": 1})

    def _projects(self, _query: Mapping[str, str]) -> bytes:
        return compact([self._described(project) for project in self.projects.values()])

    def _project(self, _query: Mapping[str, str], project: str) -> bytes:
        return compact(self._described(self.projects[project]))

    @staticmethod
    def _described(project: NexusProject) -> Json:
        groups = sorted({group for asset in project.assets.values() for group in asset["metadata"]["groups"]})
        return {
            "id": project.id, "name": f"Project {project.id}", "workspaceId": "ws_1", "type": "Bounding Box",
            "createDate": 1, "localization": "MULTI", "tags": ["dog"], "groups": groups,
            "statistic": {
                "tagsCount": [], "totalAssets": len(project.assets), "annotatedAssets": len(project.assets),
                "totalAnnotations": len(project.annotations),
            },
        }  # fmt: skip

    def _assets(self, query: Mapping[str, str], project: str) -> bytes:
        found, group = self.projects[project], query.get("group[]")
        rows = []
        for name, asset in found.assets.items():
            if group is not None and group not in asset["metadata"]["groups"]:
                continue
            total = sum(each["assetId"] == name for each in found.annotations.values())
            rows.append((name, compact({**asset, "statistic": {"tagsCount": [], "totalAnnotations": total}})))
        return self._page(query, rows)

    def _annotations(self, query: Mapping[str, str], project: str) -> bytes:
        found, chosen = self.projects[project], set(query.getall("assetId[]", []))  # type: ignore[attr-defined]  # a multi-dict
        attributes = query.get("includeAttributes") == "true"
        names = [name for name, each in found.annotations.items() if not chosen or each["assetId"] in chosen]
        return self._page(query, [(name, found.row(name, attributes=attributes)) for name in names])

    def _annotation(self, query: Mapping[str, str], project: str, annotation: str) -> bytes:
        return self.projects[project].row(annotation, attributes=query.get("includeAttributes") == "true")

    def _page(self, query: Mapping[str, str], rows: Sequence[tuple[str, bytes]]) -> bytes:
        size, start = min(int(query.get("limit", 100)), self.most), 0
        if token := query.get("page"):
            last = base64.urlsafe_b64decode(token).decode()
            start = next((place for place, (name, _) in enumerate(rows) if name > last), len(rows))
        chosen = rows[start : start + size]
        following = base64.urlsafe_b64encode(chosen[-1][0].encode()) if start + size < len(rows) else None
        token_text = b'"%b"' % following if following else b"null"
        return b'{"nextPage":%b,"prevPage":null,"data":[%b]}' % (token_text, b",".join(row for _, row in chosen))
