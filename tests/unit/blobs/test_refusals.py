"""What an object store refused, in our words: exit codes, hints, and nothing that gives a key away."""

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

from syncer.blobs.refusals import missing_bucket, past_the_end, store_failed, unanswered
from syncer.model.errors import Exit

URL = "s3://bucket/p"


def refusal(status: int, code: str, message: str = "") -> GenericError:
    """Return what the client library raises for an answer."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return GenericError(f"Generic S3 error: Error performing PUT https://h/b/k - Server returned non-2xx status code: "
                        f"{status} Reason: {body}\n\nDebug source:\nGeneric {{ a very long tail }}")  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "words"),
    [
        (403, "AccessDenied", Exit.PERMISSION, "access denied (403 AccessDenied)"),
        (403, "SignatureDoesNotMatch", Exit.PERMISSION, "the secret key is wrong"),
        (400, "ExpiredToken", Exit.PERMISSION, "have expired"),
        (403, "RequestTimeTooSkewed", Exit.PERMISSION, "clock is wrong"),
        (403, "Unheard", Exit.PERMISSION, "access denied (403 Unheard)"),
        (404, "NoSuchBucket", Exit.SETTINGS, "no such bucket"),
        (301, "PermanentRedirect", Exit.SETTINGS, "another region"),
        (400, "InvalidStorageClass", Exit.SETTINGS, "it refused: as I said (400 InvalidStorageClass)"),
        (503, "SlowDown", Exit.NOT_NOW, "slow down"),
        (503, "Whatever", Exit.NOT_NOW, "slow down"),
        (500, "InternalError", Exit.NOT_NOW, "it fails"),
        (507, "XMinioStorageFull", Exit.NOT_NOW, "storage is full"),
        (403, "QuotaExceeded", Exit.NOT_NOW, "quota is used up"),
    ],
)
def test_answers(status: int, code: str, exit_code: Exit, words: str) -> None:
    """Each answer has its exit code, its words and what to do; the library's own tail is left out."""
    found = store_failed(refusal(status, code, "as I said"), URL)
    assert (found.exit_code, words in str(found), bool(found.hint)) == (exit_code, True, True)
    assert "Debug" not in str(found)


def test_what_was_signed_is_never_repeated() -> None:
    """Parts of an answer that hold keys stay out."""
    error = refusal(403, "SignatureDoesNotMatch", "AKIAEXAMPLE StringToSign AWS4-HMAC-SHA256")
    assert "AKIA" not in str(store_failed(error, URL))


@pytest.mark.parametrize(
    ("error", "exit_code", "words"),
    [
        (PermissionDeniedError("no"), Exit.PERMISSION, "access denied"),
        (UnauthenticatedError("no"), Exit.PERMISSION, "not accepted"),
        (GenericError("Error getting credentials from instance metadata"), Exit.PERMISSION, "no credentials"),
        (GenericError("client error (Connect): dns error: no such host"), Exit.NOT_NOW, "can't be found"),
        (GenericError("tcp connect error: Connection refused (os error 111)"), Exit.NOT_NOW, "nobody listens"),
        (GenericError("invalid peer certificate: UnknownIssuer"), Exit.SETTINGS, "not trusted"),
        (GenericError("operation timed out"), Exit.NOT_NOW, "in time"),
        (GenericError("something else\nDebug tail"), Exit.NOT_NOW, "it can't be reached: something else"),
    ],
)
def test_no_answer(error: Exception, exit_code: Exit, words: str) -> None:
    """Where nobody answered, the reason decides."""
    found = store_failed(error, URL)
    assert (found.exit_code, words in str(found), "tail" in str(found)) == (exit_code, True, False)


def test_what_is_unknown_after_a_failure() -> None:
    """Without an answer, or after the server's own trouble, a write may have been done; after a refusal it was not."""
    assert unanswered(refusal(500, "InternalError"))
    assert unanswered(GenericError("connection reset"))
    assert not unanswered(refusal(403, "AccessDenied"))


def test_all_of_a_bucket_or_one_object() -> None:
    """A missing bucket is told from a missing object, and the end of an object from both."""
    assert missing_bucket(refusal(404, "NoSuchBucket"))
    assert missing_bucket(refusal(404, "ContainerNotFound"))
    assert not missing_bucket(refusal(404, "NoSuchKey"))
    assert past_the_end(refusal(416, "InvalidRange"))
    assert not past_the_end(refusal(404, "NoSuchKey"))
