"""An emulated Clarifai on a free port: the REST side of its v2 API, as far as reading labels goes.

The vendor's own client runs against it in the tests. It drifts like the real one: pages are offsets into rows that
come and go between two requests. As a process of its own: `python -m tests.emulators.clarifai --inputs 1000 --each 5`.
"""

import argparse
import asyncio
import io
import json
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from tests.emulators.clarifai_answers import Answer, Fault, Quota, Refused, dated, listing, refusal
from tests.emulators.clarifai_answers import envelope as status_of
from tests.emulators.clarifai_search import found
from tests.emulators.clarifai_store import Annotation, App, Store

KEY = "0123456789abcdef0123456789abcdef"

#: Most rows of a page, and rows where none are asked for.
MOST, USUAL = 1000, 20

Json = Any


@dataclass(slots=True)
class Asked:
    """One request, taken apart."""

    method: str
    path: str
    params: Sequence[tuple[str, str]]
    body: Json = None

    def all(self, name: str) -> list[str]:
        """Return the values of a repeated parameter."""
        return [value for key, value in self.params if key == name]

    def one(self, name: str, default: str = "") -> str:
        """Return the value of a parameter."""
        return next(iter(self.all(name)), default)

    def flag(self, name: str) -> bool:
        """Return the value of a switch, in any of Go's spellings."""
        return self.one(name).lower() in {"1", "t", "true"}

    def span(self, most: int) -> slice:
        """Return the rows of the page that is asked for."""
        size = min(int(self.one("per_page") or USUAL), most)
        start = (int(self.one("page") or 1) - 1) * size
        return slice(start, start + size)


@dataclass(slots=True)
class ClarifaiPlatform:
    """The server. Enter it to listen; change `store`, add `faults` and read `log` at any time."""

    store: Store = field(default_factory=Store)
    key: str = KEY
    #: Scopes that the key lacks, as routes.
    unscoped: frozenset[str] = frozenset()
    most: int = MOST
    #: `page * per_page` of a search may not exceed this.
    deepest: int = 10_000
    quota: Quota | None = None
    #: Seconds before every answer.
    latency: float = 0.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    #: What the stream of inputs does where the last one was deleted, which is not documented: it refuses, it says that
    #: there are no more, or it begins anew.
    forgetful: Literal["refuse", "empty", "restart"] = "refuse"
    #: Serves the hits of a search in any order, but always the same for the same rows.
    shuffle: bool = False
    #: Called with the route after each answer was made: what drifts between two pages.
    drift: Callable[[str], None] = lambda _: None
    faults: list[Fault] = field(default_factory=list)
    url: str = ""
    #: Where exports lie; by default on this server.
    media_url: str = ""
    #: Route, parameters and HTTP status of every request.
    log: list[tuple[str, str, int]] = field(default_factory=list)
    _runner: web.ServerRunner | None = None

    @property
    def requests(self) -> Counter[str]:
        """How often each route was asked."""
        return Counter(route for route, _, _ in self.log)

    def fail(self, answer: Answer | None, route: str = "*", *, after: int = 0, times: int | None = 1) -> None:
        """Let requests of a route meet another answer; None drops the connection."""
        self.faults.append(Fault(answer, route, after, times))

    # ---------------------------------------------------------------------------------------- listening

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        text = await request.read()
        asked = Asked(request.method, request.path, list(request.query.items()), json.loads(text) if text else None)
        if self.latency:
            await self.sleep(self.latency)
        answer = self.answer(asked, request.headers.get("Authorization", ""))
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        headers = {**answer.headers, "Content-Type": answer.media_type}
        return web.Response(body=answer.body, status=answer.status, headers=headers)

    def answer(self, asked: Asked, credential: str) -> Answer | None:
        """Answer one request, note it, and let the platform drift; None drops the connection."""
        route, call = self._route(asked)
        answer = self._answer(route, call, credential)
        query = "&".join(f"{name}={value}" for name, value in asked.params)
        self.log.append((route, query, answer.status if answer else 0))
        self.drift(route)
        return answer if answer is None else dated(answer, self.store.now().timestamp())

    def _answer(self, route: str, call: Callable[[], Answer], credential: str) -> Answer | None:
        if self.quota is not None and (refused := self.quota.admit()) is not None:
            return refused
        fault = next((each for each in self.faults if each.strikes(route)), None)
        if fault is not None:
            return None if fault.answer is None else Answer(**_copied(fault.answer))
        try:
            self._admit(route, credential)
            return call()
        except Refused as error:
            return refusal(error.code, error.details, names=self.store.names)

    def _admit(self, route: str, credential: str) -> None:
        if credential != f"Key {self.key}":
            raise Refused(11008)
        if route in self.unscoped:
            raise Refused(11007, f"the key lacks a scope for {route}")

    # ----------------------------------------------------------------------------------------- routing

    def _route(self, asked: Asked) -> tuple[str, Callable[[], Answer]]:
        parts = asked.path.strip("/").split("/")
        if parts[0] == "media":
            return "media", lambda: self._media(asked)
        if parts[:2] != ["v2", "users"] or len(parts) < 4 or parts[3] != "apps":
            return "unknown", lambda: _missing(asked.path)
        rest = parts[5:]
        if len(parts) == 4:
            return "apps", lambda: self._apps(asked, parts[2])
        routes: dict[tuple[str, ...], Callable[[App], Answer]] = {
            (): lambda app: self._object("app", _app(app)),
            ("concepts",): lambda app: self._rows("concepts", app.concepts, asked),
            ("annotations",): lambda app: self._annotations(app, asked),
            ("annotations", "searches"): lambda app: self._search(app, asked),
            ("inputs",): lambda app: self._inputs(app, asked),
            ("inputs", "stream"): lambda app: self._stream(app, asked),
            ("inputs", "status"): self._count,
            ("datasets",): lambda app: self._rows("datasets", [{"id": name} for name in app.datasets], asked),
            ("tasks",): lambda app: self._rows(
                "tasks", [{"id": name, "name": title} for name, title in app.tasks.items()], asked
            ),
        }
        name, call = "/".join(rest) or "app", routes.get(tuple(rest))
        if call is None:
            name, call = self._nested(asked, rest)
        return name, lambda: call(self._app(parts[2], parts[4]))

    def _nested(self, asked: Asked, rest: Sequence[str]) -> tuple[str, Callable[[App], Answer]]:
        match rest:
            case ["inputs", name]:
                return "input", lambda app: self._object("input", _existing(app, name).body())
            case ["inputs", name, "annotations", each]:
                return "annotation", lambda app: self._annotation(app, name, each)
            case ["datasets", name, *below]:
                return self._dataset(asked, name, below)
            case ["tasks", name]:
                return "task", lambda app: self._named("task", name, app.tasks)
        return "unknown", lambda _: _missing(asked.path)

    def _dataset(self, asked: Asked, name: str, below: Sequence[str]) -> tuple[str, Callable[[App], Answer]]:
        match below:
            case []:
                return "dataset", lambda app: self._named("dataset", name, app.datasets)
            case ["inputs"]:
                return "datasets/inputs", lambda app: self._members(app, name, asked)
            case ["versions", each]:
                return "datasets/version", lambda app: self._version(app, f"{name}/{each}")
        return "unknown", lambda _: _missing(asked.path)

    def _app(self, user: str, app: str) -> App:
        if user not in {self.store.user, "me"} or app not in self.store.apps:
            raise Refused(11101, f"app {app} of user {user} does not exist")
        return self.store.apps[app]

    # ----------------------------------------------------------------------------------------- answers

    def _object(self, name: str, value: Json) -> Answer:
        return Answer(json.dumps({"status": status_of(names=self.store.names), name: value}).encode())

    def _rows(self, name: str, rows: Sequence[Json], asked: Asked) -> Answer:
        chosen = rows[asked.span(self.most)]
        return listing(name, [json.dumps(row).encode() for row in chosen], names=self.store.names)

    def _apps(self, asked: Asked, user: str) -> Answer:
        if user not in {self.store.user, "me"}:
            raise Refused(11101, f"user {user} does not exist")
        apps = sorted(self.store.apps.values(), key=lambda app: app.id)
        return self._rows("apps", [_app(app) for app in apps], asked)

    def _annotations(self, app: App, asked: Asked) -> Answer:
        inputs, ids, store = asked.all("input_ids"), asked.all("ids"), self.store
        if ids:
            if len(ids) != len(inputs):
                raise Refused(24155, "ids and input_ids must be of the same length")
            keys = [(name, each) for name, each in zip(inputs, ids, strict=True)]
            rows = [app.annotations[key] for key in keys if key in app.annotations]
        else:
            listed = _listed(asked)
            rows = [each for each in store.annotations(app, inputs or None) if listed(each)]
        chosen = rows[asked.span(self.most)]
        output = asked.flag("return_model_output")
        return listing("annotations", [store.render(row, output=output) for row in chosen], names=store.names)

    def _annotation(self, app: App, name: str, each: str) -> Answer:
        if (name, each) not in app.annotations:
            raise Refused(11101, f"annotation {each} of input {name} does not exist")
        row = self.store.render(app.annotations[name, each])
        head = json.dumps({"status": status_of(names=self.store.names)}).encode()[:-1]
        return Answer(head + b',"annotation":' + row + b"}")

    def _search(self, app: App, asked: Asked) -> Answer:
        body = asked.body or {}
        page = body.get("pagination", {})
        number, size = int(page.get("page", 1)), min(int(page.get("per_page", USUAL)), self.most)
        if number * size > self.deepest:
            raise Refused(11102, f"page * perPage cannot exceed {self.deepest}")
        rows = found(app, body)
        if self.shuffle:
            rows.sort(key=lambda row: zlib.crc32(row.id.encode()))
        rows = rows[(number - 1) * size : number * size]
        hits = []
        for row in rows:
            media = json.dumps(app.inputs[row.input_id].body()).encode()
            hits.append(b'{"score":1,"input":%b,"annotation":%b}' % (media, self.store.render(row)))
        return listing("hits", hits, names=self.store.names)

    def _inputs(self, app: App, asked: Asked) -> Answer:
        wanted = asked.all("ids")
        rows = [app.inputs[name] for name in wanted if name in app.inputs] if wanted else list(app.inputs.values())
        return self._rows("inputs", [row.body() for row in rows], asked)

    def _stream(self, app: App, asked: Asked) -> Answer:
        rows = list(app.inputs)
        if asked.flag("order_by_id"):
            rows.sort()
        last = asked.one("last_id")
        if last and (last in rows or self.forgetful == "refuse"):
            rows = rows[rows.index(_existing(app, last).id) + 1 :]
        elif last and self.forgetful == "empty":
            rows = []
        size = min(int(asked.one("per_page") or USUAL), self.most)
        return self._rows("inputs", [app.inputs[name].body() for name in rows[:size]], Asked("GET", "", asked.params))

    def _count(self, app: App) -> Answer:
        return self._object("counts", {"processed": len(app.inputs), "to_process": 0, "errors": 0, "processing": 0})

    def _members(self, app: App, name: str, asked: Asked) -> Answer:
        if name not in app.datasets:
            raise Refused(11101, f"dataset {name} does not exist")
        rows = [
            {"created_at": app.inputs[each].created, "input": app.inputs[each].body()} for each in app.datasets[name]
        ]
        return self._rows("dataset_inputs", rows, asked)

    def _version(self, app: App, name: str) -> Answer:
        if name not in app.versions:
            raise Refused(11101, f"version {name} does not exist")
        value: Json = {"id": name.partition("/")[2], "status": {"code": 64015}}
        if app.versions[name] is not None:
            url = f"{self.media_url or self.url}/media/{app.id}/{name}"
            value["export_info"] = {"clarifai_data_json": {"format": 3, "status": {"code": 64200}, "url": url}}
        return self._object("dataset_version", value)

    def _media(self, asked: Asked) -> Answer:
        _, app, name = asked.path.strip("/").split("/", 2)
        inputs = self.store.apps[app].versions[name] or []
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/x.clarifai-data+json")
            for first in range(0, len(inputs), 2):
                batch = inputs[first : first + 2]
                rows = [{"id": each, "data": self.store.apps[app].inputs[each].data} for each in batch]
                archive.writestr(f"all/inputbatch_{first}_n{len(batch)}", json.dumps({"inputs": rows}))
        return Answer(file.getvalue(), media_type="application/zip")

    def _named(self, kind: str, name: str, among: dict[str, Any]) -> Answer:
        if name not in among:
            raise Refused(11101, f"{kind} {name} does not exist")
        return self._object(kind, {"id": name})


def _listed(asked: Asked) -> Callable[[Annotation], bool]:
    """Return what tells whether a list has an annotation."""
    users, models, task = set(asked.all("user_ids")), set(asked.all("model_version_ids")), asked.one("task_id")
    everything = asked.flag("list_all_annotations")

    def listed(each: Annotation) -> bool:
        if task and each.task != task:
            return False
        if users or models:
            return (not each.model and each.user in users) or each.model in models
        return each.trusted or everything

    return listed


def _app(app: App) -> Json:
    return {"id": app.id, "name": app.name, "user_id": "acme", "created_at": app.created}


def _existing(app: App, name: str) -> Any:
    if name not in app.inputs:
        raise Refused(30102, f"input {name} does not exist")
    return app.inputs[name]


def _missing(path: str) -> Answer:
    raise Refused(11101, f"{path} does not exist")


def _copied(answer: Answer) -> dict[str, Any]:
    return {
        "body": answer.body, "status": answer.status, "headers": dict(answer.headers), "media_type": answer.media_type,
    }  # fmt: skip


async def _until_end_of_input() -> None:
    """Wait until whoever started this process closes its standard input, or dies."""
    await asyncio.to_thread(sys.stdin.buffer.read)


async def serve(platform: ClarifaiPlatform) -> None:
    """Listen, print one JSON line with `url` and `key`, and go on until standard input closes."""
    async with platform:
        print(json.dumps({"url": platform.url, "key": platform.key}), flush=True)
        await _until_end_of_input()


def main() -> None:
    """Serve one app, `cars`, in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=100)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    platform = ClarifaiPlatform(latency=options.latency)
    platform.store.fill(platform.store.create_app("cars"), options.inputs, options.each)
    asyncio.run(serve(platform))


if __name__ == "__main__":
    main()
