"""The OpenAPI document, made from the table of routes and the shapes that these answer with."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from syncer.serve.problems import MEDIA_TYPE, ProblemDetails
from syncer.serve.routes import JSON, ROOT, Route

_SCHEMAS = "#/components/schemas/{name}"

#: What every operation may answer besides, and when.
_ALWAYS: Mapping[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "No token was shown, or not the right one.",
    HTTPStatus.MISDIRECTED_REQUEST: "The request was sent to a name that is not one of ours.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A parameter or the body can't be read.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many wrong tokens came from this address.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A bug; the daemon's log says more.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The state can't be read now.",
}
_CHANGING: Mapping[HTTPStatus, str] = {
    HTTPStatus.FORBIDDEN: "Neither a bearer token nor an `Origin` of our own came with a change.",
}
_JOB: Mapping[HTTPStatus, str] = {HTTPStatus.NOT_FOUND: "There is no such job."}
_BODY: Mapping[HTTPStatus, str] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON.",
}

_DESCRIPTION = """\
What the daemon does, and what may be asked of it.

Where `serve.ui.token` is set, every request shows it as `Authorization: Bearer`. Where it is not (only on loopback),
requests that change something carry `Origin` with the address that they are sent to.
"""


def describe(routes: Sequence[Route], version: str) -> Mapping[str, Any]:
    """Return the document."""
    kinds: list[Any] = [ProblemDetails]
    for route in routes:
        kinds += [route.answer, *([route.body] if route.body is not None else [])]
    unique = list(dict.fromkeys(kinds))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_SCHEMAS)
    references = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(ROOT + route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "syncer daemon", "version": version, "summary": "Jobs, runs, owed items and platforms.",
            "description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The value of `serve.ui.token`."},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "syncer-8464",
                    "description": "What the login form gives to a browser; the number is the port.",
                },
            },
        },
    }  # fmt: skip


def _operation(route: Route, references: Mapping[Any, Any]) -> Mapping[str, Any]:
    answers = {
        str(route.status.value): {"description": "As asked.", "content": {JSON: {"schema": references[route.answer]}}}
    }
    if not route.changing:
        answers["200"]["headers"] = {
            "ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}, "required": True}
        }
        answers["304"] = {"description": "As it was when `If-None-Match` was given out."}
    problem = {MEDIA_TYPE: {"schema": references[ProblemDetails]}}
    answers |= {str(status.value): {"description": text, "content": problem} for status, text in _refusals(route)}
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": list(_parameters(route)),
        "responses": answers,
    }
    if route.body is not None:
        operation["requestBody"] = {"required": False, "content": {JSON: {"schema": references[route.body]}}}
    return operation


def _refusals(route: Route) -> Iterator[tuple[HTTPStatus, str]]:
    yield from _ALWAYS.items()
    if route.changing:
        yield from _CHANGING.items()
    if "{job}" in route.path:
        yield from _JOB.items()
    if route.body is not None:
        yield from _BODY.items()


def _parameters(route: Route) -> Iterator[Mapping[str, Any]]:
    if "{job}" in route.path:
        yield {
            "name": "job", "in": "path", "required": True, "description": "Name of a job of the configuration.",
            "schema": {"type": "string", "minLength": 1},
        }  # fmt: skip
    (_,), components = msgspec.json.schema_components([route.query])
    for name, schema in components[route.query.__name__]["properties"].items():
        rest = {key: value for key, value in schema.items() if key != "description"}
        yield {"name": name, "in": "query", "description": schema.get("description", ""), "schema": rest}
    if not route.changing:
        yield {
            "name": "If-None-Match", "in": "header", "description": "`ETag` of an earlier answer.",
            "schema": {"type": "string"},
        }  # fmt: skip
