"""What Clarifai's answers come down to: its own codes first, then those of a gateway, then the HTTP status."""

import json

import pytest

from syncer.ports import Meaning
from syncer.sources.clarifai.codes import ANNOTATION_STATUSES, code_of, judge, said, status_of
from tests.emulators.clarifai_answers import gateway, page, refusal

CASES = {
    "throttled": (429, 11005, Meaning.THROTTLED),
    "throttled, with 200": (200, 11005, Meaning.THROTTLED),
    "throttled by the hour, with 403": (403, 11003, Meaning.THROTTLED),
    "month spent": (402, 11004, Meaning.SPENT),
    "limits exceeded": (400, 11006, Meaning.SPENT),
    "account closed": (403, 11000, Meaning.FORBIDDEN),
    "no consent": (400, 11104, Meaning.FORBIDDEN),
    "bad key, with 404": (404, 11008, Meaning.UNAUTHORIZED),
    "no key": (400, 11009, Meaning.UNAUTHORIZED),
    "scopes": (401, 11007, Meaning.FORBIDDEN),
    "not there, with 400": (400, 11101, Meaning.MISSING),
    "no such input": (404, 30102, Meaning.MISSING),
    "bad request, with 500": (500, 11102, Meaning.REJECTED),
    "bad search": (400, 40002, Meaning.REJECTED),
    "try again": (200, 10030, Meaning.AWAY),
    "failure": (400, 10020, Meaning.FAILED),
    "maintenance": (503, 39997, Meaning.AWAY),
    "database": (500, 40013, Meaning.AWAY),
    "internal": (400, 98014, Meaning.AWAY),
    "uncategorized": (500, 99009, Meaning.FAILED),
    "unknown, with 200": (200, 77777, Meaning.FAILED),
}


@pytest.mark.parametrize(("status", "code", "meaning"), CASES.values(), ids=CASES)
def test_the_code_decides_before_the_status(status: int, code: int, meaning: Meaning) -> None:
    """Each code means what it means with whatever HTTP status it comes, as a number or as digits."""
    for spelling in (code, str(code)):
        body = json.dumps({"status": {"code": spelling, "description": "words", "details": "more"}}).encode()
        judgement = judge(status, body)
        assert judgement is not None
        assert judgement.meaning is meaning
        assert str(code) in judgement.reason
        assert "words: more" in judgement.reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":{"code":10000}}', b'{"status":{"code":"SUCCESS"}}', b'{"status":{"code":10010}}', b"", b"<html>",
        b"[1]", b'{"a":1}', b'{"status":{}}',
    ],
)  # fmt: skip
def test_no_failure_is_none(body: bytes) -> None:
    """A success, and whatever is not in Clarifai's words, leave the decision to the HTTP status."""
    assert judge(200, body) is None
    assert judge(503, body) is None


def test_an_unknown_code_leaves_a_bad_status_to_decide() -> None:
    """With a status outside 2xx, a code that nobody knows adds nothing."""
    assert judge(503, b'{"status":{"code":77777}}') is None
    assert judge(404, b'{"status":{"code":"SOMETHING_NEW"}}') is None


@pytest.mark.parametrize(
    ("code", "meaning"), [(5, Meaning.MISSING), (8, Meaning.THROTTLED), (14, Meaning.AWAY), (16, Meaning.UNAUTHORIZED)]
)
def test_the_gateways_own_errors_are_understood(code: int, meaning: Meaning) -> None:
    """`{"code":5,"message":…}` carries a code of gRPC."""
    judgement = judge(500, gateway(code, "no such thing", 500).body)
    assert judgement is not None
    assert judgement.meaning is meaning
    assert judge(502, page().body) is None


def test_a_cut_envelope_still_says_its_code() -> None:
    """Of an error only the first bytes are kept; the code stands in front."""
    body = refusal(11008, "x" * 5000).body[:2048]
    judgement = judge(400, body)
    assert judgement is not None
    assert judgement.meaning is Meaning.UNAUTHORIZED
    found = status_of(b' { "status" : { "code" : "CONN_THROTTLED", "descr')
    assert found is not None
    assert found.number == 11005


def test_names_and_numbers_are_one() -> None:
    """A code comes as a number, as its digits or as its name; people see both."""
    assert code_of("ANNOTATION_SUCCESS") == code_of("24150") == code_of(24150) == 24150
    assert code_of("NOBODY_KNOWS") == -1
    assert said(24157) == "24157 ANNOTATION_AWAITING_REVIEW"
    assert said(5) == "5"
    assert {24150, 24151, 24304} <= set(ANNOTATION_STATUSES)
    assert 99004 not in ANNOTATION_STATUSES
