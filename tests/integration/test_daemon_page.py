"""The page over a real daemon: a process, its state, a platform, and a browser."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from syncer.demo.platform.process import platform_process
from tests.integration.test_daemon import configured, until
from tests.support.browser import open_browser, visit
from tests.support.command import start
from tests.support.destination import contents

pytestmark = pytest.mark.timeout(180)


def _serving(file: Path, **options: Any) -> None:
    tree = json.loads(file.read_text("utf-8"))
    tree["serve"]["ui"] = {"port": 0, **options}
    file.write_text(json.dumps(tree), "utf-8")


async def test_a_job_is_run_from_the_page(tmp_path: Path) -> None:
    """The button of a job by hand runs it; its progress, its end, its data and its history show on the page."""
    async with platform_process("--tasks", "400") as platform, open_browser() as browser:
        file = configured(tmp_path, platform, labels={})
        _serving(file, hook_secret="the secret of hooks")
        # Little is logged: nobody reads the log while the browser is at work.
        process = start("daemon", "--log-format", "json", cwd=tmp_path)
        try:
            url = until(process, lambda line: line["event"] == "page")["url"]
            async with visit(browser, url) as seen:
                card = seen.page.locator("#job-labels")
                await expect(card.locator(".badge")).to_have_text("Only by hand")
                await seen.page.get_by_role("button", name="Run now labels").click()
                await expect(seen.page.locator("#runs tbody tr")).to_have_count(1, timeout=60_000)
                row = seen.page.locator("#runs tbody tr").first
                await expect(row).to_contain_text("Done")
                stored = len([name for name in contents(tmp_path / "labels") if "_context" not in name])
                await expect(card).to_contain_text("last 1 run")
                await expect(card.locator(".facts")).to_contain_text("Stored")
                assert stored
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{url}api/v1/jobs/labels/runs") as answer:
                    runs = (await answer.json())["runs"]
                assert [run["exit_code"] for run in runs] == [0]
                shown = {"X-Secret": "the secret of hooks"}
                hook, body = f"{url}hooks/label_studio", {"action": "ANNOTATION_CREATED", "project": {"id": 1}}
                async with session.post(hook, json=body, headers=shown) as answer:
                    assert answer.status == 202
            for _ in range(2):
                assert until(process, lambda line: line["event"] == "run ended")["job"] == "labels"
        finally:
            process.kill()
            process.communicate()
