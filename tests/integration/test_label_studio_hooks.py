"""Webhooks that a real Label Studio sends to the daemon's listener."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.desk import Desk, lively
from tests.support.labelstudio import RealLabelStudio
from tests.support.studio import box
from tests.support.visitor import SECRET, visiting

pytestmark = pytest.mark.timeout(400)


class _Hinted(Desk):
    """A desk whose hints can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = lively().accounts
        self.hints: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()

    async def hint(self, platform: str, project: str | None) -> Sequence[str]:
        """Note a hint."""
        self.hints.put_nowait((platform, project))
        return []


async def test_what_people_do_there_is_a_hint_here(label_studio: RealLabelStudio) -> None:
    """A label made, changed and deleted hints at its project; without a payload at the platform; a wrong secret not."""
    desk = _Hinted()
    async with visiting(desk, hook_secret=SECRET) as visitor, label_studio.client() as studio:
        project = await studio.create_project("With a webhook")
        hook = {
            "url": f"{visitor.origin}/hooks/label_studio", "project": project, "headers": {"X-Secret": SECRET},
            "send_payload": True, "send_for_all_actions": True,
        }  # fmt: skip
        made = await studio.do("POST", "/api/webhooks/", hook)
        (task,) = await studio.import_tasks(project, [{"data": {"image": "https://images.example.com/1.png"}}])
        assert await desk.hints.get() == ("studio", str(project))
        annotation = await studio.annotate(task, [box("one")])
        assert await desk.hints.get() == ("studio", str(project))
        await studio.patch_annotation(annotation, result=[box("two")])
        assert await desk.hints.get() == ("studio", str(project))
        path = f"/api/webhooks/{made['id']}/"
        await studio.do("PATCH", path, {"send_payload": False})
        await studio.delete_annotation(annotation)
        assert await desk.hints.get() == ("studio", None)
        await studio.do("PATCH", path, {"headers": {"X-Secret": "wrong"}})
        await studio.annotate(task, [box("three")])
        await studio.do("PATCH", path, {"headers": {"X-Secret": SECRET}, "send_payload": True})
        await studio.annotate(task, [box("four")])
        # The refused one came before this one, and left nothing.
        assert await desk.hints.get() == ("studio", str(project))
        assert desk.hints.empty()
