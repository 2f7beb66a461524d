"""The table of failures."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from syncer.model.errors import BadBody, Forbidden, HttpError, NotFound, Rejected, Unauthorized, Unavailable
from syncer.net import classify
from syncer.net.classify import Label, Retryable

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LABEL = Label("GET", "https://h.example/x?token=SECRETSECRET")


@pytest.mark.parametrize(("status", "error", "attempts"), [
    (400, Rejected, 1), (401, Unauthorized, 1), (403, Forbidden, 1), (404, NotFound, 1), (405, Rejected, 1),
    (408, Unavailable, None), (410, NotFound, 1), (422, Rejected, 1), (425, Unavailable, None),
    (429, Unavailable, None),
    (500, Unavailable, 3), (501, Unavailable, 3), (502, Unavailable, None), (503, Unavailable, None),
    (504, Unavailable, None), (302, Rejected, 1),
])  # fmt: skip
def test_statuses(status: int, error: type[HttpError], attempts: int | None) -> None:
    """Each status becomes one error; attempts: 1 = final, None = as many as the client makes."""
    rule = classify.rule_of(status)
    assert (rule.error, rule.attempts) == (error, attempts)


def test_rule_24_messages_have_no_query_and_no_body() -> None:
    """An error names method, place and status; the redacted beginning of the body is beside it."""
    failure = classify.status_failure(LABEL, 404, {}, b'{"detail": "no", "token": "SECRETSECRET"}' + b"x" * 9000, NOW)
    assert isinstance(failure, NotFound)
    assert str(failure) == "GET https://h.example/x answered 404"
    assert b'"detail": "no"' in failure.body
    assert b"SECRET" not in failure.body
    assert len(failure.body) <= classify.KEPT_BODY


@pytest.mark.parametrize(("value", "expected"), [
    ("7", 7.0), ("1.5", 1.5), ("0", None), ("-3", None), ("soon", None), ("nan", None), ("inf", None), (None, None),
    ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0), ("Sun, 22 Nov 2026 11:00:00 GMT", None),
])  # fmt: skip
def test_rule_22_retry_after(value: str | None, expected: float | None) -> None:
    """Seconds and HTTP dates are understood; what names no time in the future names none."""
    assert classify.retry_after({} if value is None else {"Retry-After": value}, NOW) == expected


def test_rule_22_retry_after_counts_from_the_servers_clock() -> None:
    """A date is compared with the server's own `Date`, since our clock may be wrong."""
    headers = {"Retry-After": "Sun, 22 Nov 2026 18:00:10 GMT", "Date": "Sun, 22 Nov 2026 18:00:00 GMT"}
    assert classify.retry_after(headers, NOW) == 10.0


def test_http_dates() -> None:
    """Dates are UTC; nonsense is none."""
    assert classify.http_date("Sun, 22 Nov 2026 12:00:30 GMT") == NOW + timedelta(seconds=30)
    assert classify.http_date("Sun, 22 Nov 2026 12:00:30 -0000") == NOW + timedelta(seconds=30)
    assert classify.http_date("yesterday") is None


@pytest.mark.parametrize("value", [
    "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
])  # fmt: skip
def test_rule_22_dates_that_no_calendar_has(value: str) -> None:
    """A header with a date beyond the calendar names none, and ends no run."""
    assert classify.http_date(value) is None
    assert classify.retry_after({"Retry-After": value}, NOW) is None


@pytest.mark.parametrize(("media", "fits"), [
    ("application/json", True), ("application/json; charset=utf-8", True), ("Application/JSON", True), (None, True),
    ("application/problem+json", True), ("application/.json", True), ("text/json", True), ("text/html", False),
    ("text/plain", False), ("application/octet-stream", False),
])  # fmt: skip
def test_media_types(media: str | None, fits: bool) -> None:
    """What counts as JSON."""
    assert classify.media_matches(media, "application/json") is fits


@pytest.mark.parametrize(("error", "kind", "retried"), [
    (aiohttp.ServerDisconnectedError(), Unavailable, True),
    (aiohttp.ClientPayloadError("https://h/?k=SECRET"), BadBody, True),
    (TimeoutError(), Unavailable, True), (aiohttp.ConnectionTimeoutError(), Unavailable, True),
    (aiohttp.ClientOSError(104, "Connection reset by peer"), Unavailable, True),
    (aiohttp.ClientError("?"), Unavailable, True), (aiohttp.InvalidURL("https://h/?k=SECRET"), HttpError, False),
])  # fmt: skip
def test_exceptions(error: Exception, kind: type[HttpError], retried: bool) -> None:
    """Each exception of the library becomes one error, without its text."""
    failure = classify.exception_failure(LABEL, error)
    assert isinstance(failure, Retryable) is retried
    final = failure.final(2) if isinstance(failure, Retryable) else failure
    assert isinstance(final, kind)
    assert "SECRET" not in str(final)
