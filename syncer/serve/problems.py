"""Errors of the API as RFC 9457 problem details."""

from http import HTTPStatus

import msgspec
from aiohttp import web

from syncer.model.errors import Exit, SyncerError, UnknownName

MEDIA_TYPE = "application/problem+json"

#: Exit codes as statuses: what the state can't answer now is asked again later.
_STATUSES = {Exit.NOT_NOW: HTTPStatus.SERVICE_UNAVAILABLE}


class ProblemDetails(msgspec.Struct, frozen=True):
    """What went wrong, for programs and people (RFC 9457)."""

    title: str
    status: int
    detail: str | None = None
    type: str = "about:blank"


class Refused(Exception):  # named as what happens, like all errors here
    """A request that gets a problem for an answer."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        """Take the answer; names of headers with `_` for `-`."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem(status: int, detail: str | None = None) -> web.Response:
    """Return the answer for a status."""
    body = ProblemDetails(HTTPStatus(status).phrase, int(status), detail)
    return web.Response(status=status, body=msgspec.json.encode(body), content_type=MEDIA_TYPE)


def refusal(error: Exception) -> web.Response | None:
    """Return the answer for an error; None for one that nobody expected."""
    match error:
        case Refused(status=status, detail=detail):
            response = problem(status, detail)
            response.headers.update(error.headers)
            return response
        case UnknownName():
            return problem(HTTPStatus.NOT_FOUND, str(error))
        case SyncerError():
            return problem(_STATUSES.get(error.exit_code, HTTPStatus.INTERNAL_SERVER_ERROR), str(error))
        case web.HTTPException():
            response = problem(error.status, None if error.text == f"{error.status}: {error.reason}" else error.text)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        case _:
            return None
