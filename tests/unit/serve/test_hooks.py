"""Webhooks of platforms: hints that are guarded, bounded and passed on, never believed."""

import asyncio
import json
from typing import Any

import pytest

from syncer.serve.attempts import ALLOWED
from syncer.serve.hooks import REST, WAITING
from syncer.serve.ui import MAX_BODY
from tests.support.desk import Desk, lively
from tests.support.visitor import SECRET, Visitor, visiting

SHOWN = {"X_Secret": SECRET, "Content_Type": "application/json"}


class _Listening(Desk):
    """A desk whose hints can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.hints: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()
        self.accounts = lively().accounts
        self.refuses = False

    async def hint(self, platform: str, project: str | None) -> list[str]:
        """Note a hint."""
        self.hints.put_nowait((platform, project))
        await super().hint("nothing" if self.refuses else platform, project)
        return []


async def _hook(visitor: Visitor, body: Any, word: str = "studio", **headers: str) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (await visitor.send("POST", f"/hooks/{word}", data, **{**SHOWN, **headers})).status


@pytest.mark.parametrize(
    ("body", "project"),
    [
        ({"action": "ANNOTATION_CREATED", "project": {"id": 7, "title": "x"}}, "7"), ({"project_id": "p-1"}, "p-1"),
        ({"projectId": 3}, "3"), ({"project": "seven"}, "seven"), ({"action": "PROJECT_DELETED"}, None),
        ({"project": {"id": True}}, None), ({"project": None}, None), ([1, 2], None), (b"", None), (b"{", None),
        (b"\xff\xfe", None), (b"[" * 5000, None), (b'{"project": "' + b"x" * MAX_BODY + b'"}', None),
    ],
)  # fmt: skip
async def test_a_webhook_is_a_hint(body: Any, project: str | None) -> None:
    """Whatever a platform sends is answered at once; the project it names, if it can be read, is what is polled."""
    desk = _Listening()
    async with visiting(desk, hook_secret=SECRET) as visitor:
        assert await _hook(visitor, body) == 202
        assert await desk.hints.get() == ("studio", project)


async def test_a_name_comes_before_a_type() -> None:
    """`/hooks/studio` is the platform of that name; `/hooks/label_studio` every platform of that type."""
    desk = _Listening()
    async with visiting(desk, hook_secret=SECRET) as visitor:
        assert await _hook(visitor, {}, "label_studio") == 202
        assert await desk.hints.get() == ("studio", None)
        assert await _hook(visitor, {}, "nothing") == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Secret": SECRET}, 202), ({"X_Secret": "", "Authorization": f"Bearer {SECRET}"}, 202),
        ({"X_Secret": "wrong"}, 401), ({"X_Secret": ""}, 401), ({"X_Secret": "", "Authorization": "Bearer x"}, 401),
    ],
)  # fmt: skip
async def test_the_secret_is_checked(headers: dict[str, str], status: int) -> None:
    """Without the secret a webhook is refused, and asks for nothing."""
    desk = _Listening()
    async with visiting(desk, hook_secret=SECRET) as visitor:
        assert await _hook(visitor, {"project": 7}, **headers) == status
        if status == 202:
            assert await desk.hints.get() == ("studio", "7")
        assert len(desk.asked) == (status == 202)


async def test_guesses_are_bounded() -> None:
    """Wrong secrets are counted like wrong tokens."""
    async with visiting(hook_secret=SECRET) as visitor:
        for _ in range(ALLOWED):
            assert await _hook(visitor, {}, X_Secret="guess") == 401
        assert await _hook(visitor, {}) == 429


async def test_without_a_secret_there_are_no_hooks() -> None:
    """Hooks are off until a secret is set: an empty one opens nothing."""
    async with visiting() as visitor:
        assert await _hook(visitor, {}, X_Secret="") == 404


async def test_hooks_need_no_name_and_no_token_of_ours() -> None:
    """A platform reaches the hook under whatever name it knows, without the page's token; nothing else opens to it."""
    async with visiting(_Listening(), token="another", hook_secret=SECRET) as visitor:
        assert await _hook(visitor, {}, Host="syncer.internal:8464") == 202
        assert (await visitor.get("/api/v1/jobs", Authorization=f"Bearer {SECRET}")).status == 401


async def test_a_flood_becomes_a_few_hints() -> None:
    """Hundreds of webhooks about one project are one hint now and one later; the last one is never lost."""
    desk = _Listening()
    async with visiting(desk, hook_secret=SECRET) as visitor:
        assert await _hook(visitor, {"project": 7}) == 202
        assert await desk.hints.get() == ("studio", "7")
        # These come while the daemon rests.
        for number in range(100):
            assert await _hook(visitor, {"project": 7 if number % 2 else 8}) == 202
        assert desk.hints.empty()
        assert REST <= 1.0
        assert {await desk.hints.get(), await desk.hints.get()} == {("studio", "7"), ("studio", "8")}
        assert desk.hints.empty()


async def test_a_flood_of_names_is_about_the_platform() -> None:
    """More projects than are kept in mind become one hint about the whole platform."""
    desk = _Listening()
    async with visiting(desk, hook_secret=SECRET) as visitor:
        assert await _hook(visitor, {}) == 202
        await desk.hints.get()
        for number in range(WAITING + 5):
            assert await _hook(visitor, {"project": number}) == 202
        assert await desk.hints.get() == ("studio", None)
        assert desk.hints.empty()


async def test_a_hint_that_fails_is_told() -> None:
    """A hint that the daemon can't take is a warning in its log; the next one gets through."""
    desk = _Listening()
    desk.refuses = True
    async with visiting(desk, hook_secret=SECRET) as visitor:
        assert await _hook(visitor, {}) == 202
        await desk.hints.get()
        desk.refuses = False
        assert await _hook(visitor, {"project": 1}) == 202
        assert await desk.hints.get() == ("studio", "1")
        assert visitor.warnings == ["a webhook of studio came to nothing: no platform 'nothing'"]
