"""Clarifai's own codes: what the envelope of an answer says, and which annotations a status means. Pure.

The same codes come with HTTP statuses that are not documented, also with 200, as numbers or as names; before them may
stand a gateway (`{"code":5,"message":…}`) or a proxy (HTML). So the body's code is looked at first, then the status.
"""

import re
from collections.abc import Mapping

import msgspec

from syncer.ports import Judgement, Meaning

#: Codes of a success: all of it, some of it (rows carry their own status), accepted.
SUCCESS = frozenset({10000, 10010, 10070})
#: Something of what was asked for is missing in the answer.
MIXED = 10010
#: A status of an annotation that is finished.
FINISHED = 24150

#: Names of codes, as some servers spell them.
NAMES: Mapping[str, int] = {
    "ZERO": 0, "SUCCESS": 10000, "MIXED_STATUS": 10010, "FAILURE": 10020, "TRY_AGAIN": 10030,
    "NOT_IMPLEMENTED": 10040, "MOVED": 10050, "ACCEPTED": 10070,
    "CONN_ACCOUNT_ISSUES": 11000, "CONN_TOKEN_INVALID": 11001, "CONN_CREDENTIALS_INVALID": 11002,
    "CONN_EXCEED_HOURLY_LIMIT": 11003, "CONN_EXCEED_MONTHLY_LIMIT": 11004, "CONN_THROTTLED": 11005,
    "CONN_EXCEEDS_LIMITS": 11006, "CONN_INSUFFICIENT_SCOPES": 11007, "CONN_KEY_INVALID": 11008,
    "CONN_KEY_NOT_FOUND": 11009, "CONN_BAD_REQUEST_FORMAT": 11100, "CONN_DOES_NOT_EXIST": 11101,
    "CONN_INVALID_REQUEST": 11102, "CONN_METHOD_NOT_ALLOWED": 11103, "CONN_NO_GDPR_CONSENT": 11104,
    "CONN_AUTH_METHOD_DISABLED": 11200,
    "ANNOTATION_SUCCESS": 24150, "ANNOTATION_PENDING": 24151, "ANNOTATION_FAILED": 24152,
    "ANNOTATION_IN_PROGRESS": 24153, "ANNOTATION_UNKNOWN_STATUS": 24154, "ANNOTATION_INVALID_ARGUMENT": 24155,
    "ANNOTATION_PERMISSION_DENIED": 24156, "ANNOTATION_AWAITING_REVIEW": 24157, "ANNOTATION_REVIEW_DENIED": 24158,
    "ANNOTATION_AWAITING_CONSENSUS_REVIEW": 24159, "ANNOTATION_MODIFY_SUCCESS": 24250,
    "ANNOTATION_MODIFY_PENDING": 24251, "ANNOTATION_MODIFY_FAILED": 24252, "ANNOTATION_TRACK_IDLE": 24300,
    "ANNOTATION_TRACK_IN_PROGRESS": 24301, "ANNOTATION_TRACK_PENDING": 24302, "ANNOTATION_TRACK_APPROVED": 24303,
    "ANNOTATION_TRACK_FAILED": 24304,
    "INPUT_SUCCESS": 30000, "INPUT_DOES_NOT_EXIST": 30102, "INPUT_PERMISSION_DENIED": 30103,
    "INPUT_INVALID_ARGUMENT": 30104, "REQUEST_DISABLED_FOR_MAINTENANCE": 39997, "SEARCH_INVALID_REQUEST": 40002,
    "DATABASE_STATEMENT_TIMEOUT": 40011, "DATABASE_INVALID_ROWS_AFFECTED": 40012, "DATABASE_DEADLOCK_DETECTED": 40013,
    "DATABASE_FAIL_TASK": 40014, "DATABASE_FAIL_TO_GET_CONNECTIONS": 40015, "DATABASE_TOO_MANY_CLIENTS": 40016,
    "DATABASE_CANCELED": 40021, "RPC_REQUEST_QUEUE_FULL": 40030, "RPC_SERVER_UNAVAILABLE": 40031,
    "RPC_REQUEST_TIMEOUT": 40032, "EXTERNAL_CONNECTION_ERROR": 40034, "QUERY_INVALID_SYNTAX": 40050,
    "SEARCH_INTERNAL_FAILURE": 43001, "SEARCH_BY_NOT_FULLY_INDEXED_INPUT": 43004, "TASK_MISSING": 54102,
    "TASK_PERMISSION_DENIED": 54103, "INTERNAL_UNEXPECTED_TIMEOUT": 98009, "INTERNAL_RESOURCE_EXHAUSTED": 98014,
    "CONN_UNCATEGORIZED": 99001, "ANNOTATION_UNCATEGORIZED": 99004, "INTERNAL_UNCATEGORIZED": 99009,
}  # fmt: skip
_WORDS = {code: name for name, code in NAMES.items()}

#: Statuses of annotations that this version knows; any other is kept and reported.
ANNOTATION_STATUSES = {code: name for name, code in NAMES.items() if name.startswith("ANNOTATION_") and code < 99000}  # noqa: PLR2004  # above are failures of requests

_KEY_HINT = "check the key (Settings > Security of your Clarifai account, or CLARIFAI_PAT): copied whole, not expired"
_SCOPE_HINT = "the key lacks scopes: it needs Apps_Get, Inputs_Get, Annotations_Get, Concepts_Get, Models_Get, Search"
_PLAN_HINT = "the account's plan or quota does not allow more; what is done is kept, run again when it does"

_MEANINGS: Mapping[int, tuple[Meaning, str | None]] = {
    **dict.fromkeys((11003, 11005), (Meaning.THROTTLED, None)),
    **dict.fromkeys((11004, 11006), (Meaning.SPENT, _PLAN_HINT)),
    **dict.fromkeys((11000, 11104), (Meaning.FORBIDDEN, "Clarifai has closed this account to the API; ask its owner")),
    **dict.fromkeys((11001, 11002, 11008, 11009, 11200), (Meaning.UNAUTHORIZED, _KEY_HINT)),
    **dict.fromkeys((11007,), (Meaning.FORBIDDEN, _SCOPE_HINT)),
    **dict.fromkeys((24156, 30103, 54103), (Meaning.FORBIDDEN, None)),
    **dict.fromkeys((11101, 30102, 54102), (Meaning.MISSING, None)),
    **dict.fromkeys((10040, 11100, 11102, 11103, 24155, 30104, 40002, 40050, 43004), (Meaning.REJECTED, None)),
    **dict.fromkeys((10020, 99001, 99004, 99009), (Meaning.FAILED, None)),
    39997: (Meaning.AWAY, "Clarifai is under maintenance; run again later"),
    **dict.fromkeys(
        (10030, 40011, 40012, 40013, 40014, 40015, 40016, 40021, 40030, 40031, 40032, 40034, 43001),
        (Meaning.AWAY, None),
    ),
}
#: Internal failures of the platform: 980xx.
_INTERNAL = range(98000, 98100)

#: Codes of gRPC, in errors of the gateway.
_GRPC: Mapping[int, Meaning] = {
    2: Meaning.FAILED, 3: Meaning.REJECTED, 4: Meaning.AWAY, 5: Meaning.MISSING, 7: Meaning.FORBIDDEN,
    8: Meaning.THROTTLED, 9: Meaning.REJECTED, 12: Meaning.REJECTED, 13: Meaning.FAILED, 14: Meaning.AWAY,
    16: Meaning.UNAUTHORIZED,
}  # fmt: skip


class Status(msgspec.Struct, frozen=True, gc=False):
    """What an envelope or a row says of itself."""

    code: int | str = 0
    description: str = ""
    details: str = ""

    @property
    def number(self) -> int:
        """The code as a number, -1 where it is a name that nobody knows."""
        return code_of(self.code)


class _Envelope(msgspec.Struct):
    status: Status | None = None
    code: int | str | None = None
    message: str = ""


_ENVELOPE = msgspec.json.Decoder(_Envelope)
#: The beginning of a body that was cut: envelopes begin with their status.
_CODE = re.compile(rb'^\s*\{\s*"status"\s*:\s*\{\s*"code"\s*:\s*(?:(\d{1,6})|"([A-Z_]{1,64})")')


def code_of(value: int | str) -> int:
    """Return a code as a number: it comes as one, as its digits, or as its name."""
    if isinstance(value, int):
        return value
    return int(value) if value.isdecimal() else NAMES.get(value, -1)


def said(code: int) -> str:
    """Return a code with its name, for people."""
    return f"{code} {_WORDS[code]}" if code in _WORDS else str(code)


def status_of(body: bytes) -> Status | None:
    """Return the envelope's status; None if the body has none (a proxy's page, a gateway's error)."""
    try:
        return _ENVELOPE.decode(body).status
    except (ValueError, RecursionError):
        found = _CODE.match(body)
        if found is None:
            return None
        return Status(int(found[1]) if found[1] else found[2].decode())


def judge(status: int, body: bytes) -> Judgement | None:
    """Return the failure that a body reports; None if it reports none (see `ports.Judge`)."""
    envelope = status_of(body)
    if envelope is None:
        return _gateway(body)
    code = envelope.number
    if code in SUCCESS or (code in {0, -1} and 200 <= status < 300):  # noqa: PLR2004  # RFC 9110 §15.3
        return None
    meaning, hint = _MEANINGS.get(code, (Meaning.AWAY, None) if code in _INTERNAL else (None, None))
    if meaning is None:
        # A code that this version does not know: the HTTP status is the better word, unless it says success.
        meaning = Meaning.FAILED if 200 <= status < 300 else None  # noqa: PLR2004  # RFC 9110 §15.3
    if meaning is None:
        return None
    words = ": ".join(part for part in (envelope.description, envelope.details) if part)
    return Judgement(meaning, f"{said(code)}{f' ({words[:300]})' if words else ''}", hint)


def _gateway(body: bytes) -> Judgement | None:
    try:
        error = _ENVELOPE.decode(body)
    except (ValueError, RecursionError):
        return None
    if error.code is None or not error.message:
        return None
    meaning = _GRPC.get(code_of(error.code))
    return None if meaning is None else Judgement(meaning, f"gateway error {error.code} ({error.message[:300]})")
