"""Notices: signed as Standard Webhooks says, proved with its own library; sent to one origin and nowhere else."""

import base64

import pytest
from standardwebhooks import Webhook

from syncer.model.errors import Rejected, SettingsError, Unavailable, Unsafe
from syncer.model.secret import Secret
from syncer.net import redact
from syncer.net.notice import ATTEMPTS, Notice, open_recipient
from tests.support.clock import RealClock
from tests.support.inbox import inbox
from tests.support.scratch import MemorySpool

NOTICE = Notice("run_highway_20261128T142412Z-a1b2", b'{"type": "run.ended", "data": {"1.10": "\xc3\xa9"}}')
PATH = "services/T0/B0/very-secret-path"
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()


class _Quick(RealClock):
    """Real time without waiting between attempts."""

    async def sleep(self, seconds: float) -> None:
        """Wait for nothing."""
        await super().sleep(0)


@pytest.mark.parametrize("secret", [KEY, "any text, in UTF-8: é"])
async def test_who_gets_it_can_check_it(secret: str) -> None:
    """The standard's own library accepts the signature over the very bytes that arrive, and no changed byte."""
    async with (
        inbox() as box,
        open_recipient(
            Secret.literal(f"{box.served.url}/{PATH}"), Secret.literal(secret), _Quick(), MemorySpool()
        ) as recipient,
    ):
        await recipient.send(NOTICE)
    ((headers, body),) = box.came
    assert body == NOTICE.body
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == NOTICE.id
    known = Webhook(secret if secret == KEY else base64.b64encode(secret.encode()).decode())
    lowered = {name.lower(): value for name, value in headers.items()}
    assert known.verify(body, lowered)
    with pytest.raises(Exception, match=r"(?i)signature"):
        known.verify(body.replace(b"ended", b"began"), lowered)


async def test_without_a_secret_nothing_is_signed() -> None:
    """A notice without a secret has its id and its time, and no signature."""
    async with (
        inbox() as box,
        open_recipient(Secret.literal(f"{box.served.url}/{PATH}"), None, _Quick(), MemorySpool()) as recipient,
    ):
        await recipient.send(NOTICE)
    assert "webhook-signature" not in box.came[0][0]
    assert "webhook-timestamp" in box.came[0][0]


async def test_failures_are_repeated_refusals_are_not() -> None:
    """A server that fails gets the notice again under the same id; one that says no does not."""
    for answers, count in (((503, 500, 204), 3), ((503,), ATTEMPTS), ((400,), 1)):
        async with (
            inbox(*answers) as box,
            open_recipient(Secret.literal(f"{box.served.url}/{PATH}"), None, _Quick(), MemorySpool()) as recipient,
        ):
            if answers[-1] == 204:
                await recipient.send(NOTICE)
            else:
                with pytest.raises(Rejected if answers == (400,) else Unavailable) as caught:
                    await recipient.send(NOTICE)
                assert PATH not in str(caught.value)
        assert len(box.came) == count
        assert {headers["webhook-id"] for headers, _ in box.came} == {NOTICE.id}


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/x", "http://169.254.169.254/latest", "ftp://example.com/x", "no url", "https://u:p@x/y"],
)
async def test_it_goes_only_where_it_may(url: str) -> None:
    """Plain http beyond loopback, addresses of metadata services and what is no URL are refused, nothing is sent."""
    with pytest.raises(Unsafe):
        async with open_recipient(Secret.literal(url), None, _Quick(), MemorySpool()) as recipient:
            await recipient.send(NOTICE)


async def test_the_url_is_a_secret() -> None:
    """The path is masked wherever it might show up, and a secret of the standard that is not base64 is refused."""
    async with (
        inbox() as box,
        open_recipient(
            Secret.literal(f"{box.served.url}/{PATH}"), Secret.literal("whsec_no base64!"), _Quick(), MemorySpool()
        ) as recipient,
    ):
        assert PATH not in redact.redact_text(f"POST /{PATH} failed")
        assert PATH not in recipient.origin
        with pytest.raises(SettingsError, match="base64"):
            await recipient.send(NOTICE)
    assert box.came == []
