"""What an object store refused, in our words.

Of its answer only status and error code are repeated, and the message of a refusal that we have no words for: other
parts hold access keys and what was signed, and the client library adds pages of its own structures.
"""

import re

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from syncer.model.errors import Exit, StoreFailed

#: What the client library raises, also where it speaks through Python's own exceptions.
Refusal = (BaseError, OSError, ValueError)
#: A create-only or conditional write found something else.
Taken = (AlreadyExistsError, PreconditionError)
Absent = (NotFoundError, FileNotFoundError)

_STATUS = re.compile(r"(?i)\bstatus(?: code)?:? (\d{3})\b")
#: Error codes of S3 and GCS (`<Code>X</Code>`), and of Azure, which writes them the same way.
_CODE = re.compile(r"<Code>([A-Za-z0-9._-]{1,80})</Code>")
_MESSAGE = re.compile(r"<Message>([^<\x00-\x1f]{1,200})")

_AGAIN = "run again; it goes on where it stopped"
#: Characters of the client library's words that are repeated where there was no answer.
_LINE = 160
_OPTIONS = "see the sink's options, and what the service allows"
_SPACE = f"free some space or raise the quota, then {_AGAIN}"
#: Error code: what it means, exit code, what to do.
_CODES: dict[str, tuple[str, Exit, str]] = {
    "NoSuchBucket": ("there is no such bucket", Exit.SETTINGS, "create it, or correct the sink's url"),
    "ContainerNotFound": ("there is no such container", Exit.SETTINGS, "create it, or correct the sink's url"),
    "ContainerBeingDeleted": ("the container is being deleted", Exit.NOT_NOW, f"create it again, then {_AGAIN}"),
    "InvalidBucketName": ("this is no name of a bucket", Exit.SETTINGS, "correct the sink's url"),
    "AccessDenied": ("access denied", Exit.PERMISSION, "let these credentials read, write, list and delete there"),
    "ExpiredToken": ("the credentials have expired", Exit.PERMISSION, f"renew them, then {_AGAIN}"),
    "TokenRefreshRequired": ("the credentials have expired", Exit.PERMISSION, f"renew them, then {_AGAIN}"),
    "InvalidAccessKeyId": ("the access key is not known", Exit.PERMISSION, "see which credentials are in use"),
    "InvalidToken": ("the session token is not valid", Exit.PERMISSION, "see which credentials are in use"),
    "SignatureDoesNotMatch": ("the secret key is wrong", Exit.PERMISSION, "see which credentials are in use"),
    "AuthenticationFailed": ("the account key is wrong", Exit.PERMISSION, "see which credentials are in use"),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", Exit.PERMISSION, "set it by NTP"),
    "AuthorizationHeaderMalformed": ("the bucket lies in another region", Exit.SETTINGS, "set the sink's region"),
    "PermanentRedirect": ("the bucket lies in another region", Exit.SETTINGS, "set the sink's region"),
    "AccountProblem": ("the account is suspended", Exit.PERMISSION, "ask whoever runs it"),
    "QuotaExceeded": ("the quota is used up", Exit.NOT_NOW, _SPACE),
    "XMinioStorageFull": ("the storage is full", Exit.NOT_NOW, _SPACE),
    "SlowDown": (
        "it asks us to slow down, again and again",
        Exit.NOT_NOW,
        f"lower the sink's concurrency, or {_AGAIN}",
    ),
    "ServerBusy": (
        "it asks us to slow down, again and again",
        Exit.NOT_NOW,
        f"lower the sink's concurrency, or {_AGAIN}",
    ),
}
_STATUSES: dict[int, tuple[str, Exit, str]] = {
    301: _CODES["PermanentRedirect"],
    307: _CODES["PermanentRedirect"],
    401: ("the credentials are not accepted", Exit.PERMISSION, "see which credentials are in use"),
    402: _CODES["QuotaExceeded"],
    403: _CODES["AccessDenied"],
    409: ("another request for the same object got in the way", Exit.NOT_NOW, _AGAIN),
    413: ("an object is too large for it", Exit.SETTINGS, "see the service's limits"),
    429: _CODES["SlowDown"],
    503: _CODES["SlowDown"],
    507: _CODES["XMinioStorageFull"],
}
#: Words of the client library where there was no answer at all.
_WORDS: tuple[tuple[str, tuple[str, Exit, str]], ...] = (
    (
        "credential",
        ("no credentials were found", Exit.PERMISSION, "set the variables that the cloud's own tools read"),
    ),
    ("invalidcertificate", ("its certificate is not trusted", Exit.SETTINGS, "give the sink's ca_file")),
    ("certificate", ("its certificate is not trusted", Exit.SETTINGS, "give the sink's ca_file")),
    ("dns error", ("its host name can't be found", Exit.NOT_NOW, "see the network, and the sink's endpoint")),
    ("connection refused", ("nobody listens there", Exit.NOT_NOW, "see the network, and the sink's endpoint")),
    ("timed out", ("it does not answer in time", Exit.NOT_NOW, _AGAIN)),
)
_UNREACHABLE = ("it can't be reached", Exit.NOT_NOW, f"see the network, then {_AGAIN}")


def store_failed(error: Exception, url: str) -> StoreFailed:
    """Return what stops a sink, for what the client library said after all its retries."""
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    meaning, exit_code, hint = _meaning(error, text, int(status[1]) if status else None, code[1] if code else "")
    answer = " ".join(part[1] for part in (status, code) if part)
    message = f"{url} can't be used: {meaning}{f' ({answer})' if answer else ''}"
    return StoreFailed(message, exit_code=exit_code, hint=hint)


def missing_bucket(error: Exception) -> bool:
    """Tell whether not the object is missing but all of the bucket."""
    code = _CODE.search(str(error))
    return code is not None and code[1] in {"NoSuchBucket", "ContainerNotFound"}


def past_the_end(error: Exception) -> bool:
    """Tell whether a range begins at the end of an object, or after it."""
    status = _STATUS.search(str(error))
    return (status is not None and int(status[1]) == 416) or "larger than length" in str(error)  # noqa: PLR2004  # range


def unanswered(error: Exception) -> bool:
    """Tell whether it is unknown if the store did what it was asked: no answer, or one that says nothing."""
    status = _STATUS.search(str(error))
    return status is None or int(status[1]) >= 500  # noqa: PLR2004  # the server's own trouble


def too_soon(error: Exception) -> bool:
    """Tell whether the store refused because of how much it is asked: 429 (RFC 6585 §4)."""
    status = _STATUS.search(str(error))
    return status is not None and status[1] == "429"


def _meaning(error: Exception, text: str, status: int | None, code: str) -> tuple[str, Exit, str]:
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if status is not None:
        server = status >= 500  # noqa: PLR2004  # the server's own trouble
        said = _MESSAGE.search(text)
        why = f": {said[1]}" if said else ""
        return (f"it fails{why}", Exit.NOT_NOW, _AGAIN) if server else (f"it refused{why}", Exit.SETTINGS, _OPTIONS)
    if isinstance(error, PermissionDeniedError | PermissionError):
        return _CODES["AccessDenied"]
    if isinstance(error, UnauthenticatedError):
        return _STATUSES[401]
    lower = text.lower()
    known = next((meaning for word, meaning in _WORDS if word in lower), None)
    first = text.splitlines()[0][:_LINE] if text else type(error).__name__
    return known or (f"{_UNREACHABLE[0]}: {first}", *_UNREACHABLE[1:])
