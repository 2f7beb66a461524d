"""Exports of Annotell hold what the vendor's last client returns, by either API."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.annotell import AnnotellPlatform
from tests.emulators.kognic import BATCH, PROJECT, TYPE
from tests.support.annotell_client import ask
from tests.support.exporting import same_documents
from tests.support.kognic_export import HASTY, Exporter, named, numbers

ALL = ("--project", PROJECT)
FIRST = ("--set", "api=1.0")


def exporter(folder: Path, platform: AnnotellPlatform, **env: str) -> Exporter:
    """Return what exports it."""
    return Exporter(folder, platform, type="annotell", env=env)


@pytest.mark.parametrize("api", ["1.1", "1.2"])
async def test_openlabel_is_what_the_client_returns(tmp_path: Path, api: Any) -> None:
    """The second API's documents are exported under the names of their inputs, with and without pages."""
    async with AnnotellPlatform(11, api=api, page_size=4) as platform:
        run = exporter(tmp_path, platform)
        what = (*ALL, "--batch", BATCH, "--annotation-type", TYPE)
        ended = (await run.export("out.zip", "--set", "api=1.1", what=what)).ok()
        assert numbers(ended, "stored", "owed") == (11, 0)
        same_documents(run.documents("out.zip"), named(platform.documents()))
        assert platform.traffic.leaked == 0
        if api == "1.2":
            theirs = await ask(platform, "annotations", PROJECT, TYPE, BATCH)
            assert {f"{uuid}.json": value for uuid, value in theirs.items()} == {
                name: json.loads(data) for name, data in run.documents("out.zip").items()
            }


async def test_the_first_api_gives_what_the_recipe_gives(tmp_path: Path) -> None:
    """Contents within, several of an input, none of what is unfinished or invalidated; 100 inputs a request."""
    async with AnnotellPlatform(230, api="1.0", size=400) as platform:
        lanes = platform.world.request(PROJECT, BATCH, "lane")
        for each in platform.inputs[:5]:
            platform.world.finish(platform.world.add(lanes, each.scene))
        platform.world.add(lanes)
        platform.world.invalidate(platform.inputs[7].scene)
        # The client puts all UUIDs into one address, which servers refuse: it is asked in parts.
        theirs: dict[str, Any] = {}
        uuids = list(platform.contents())
        for start in range(0, len(uuids), 100):
            theirs |= await ask(platform, "contents", *uuids[start : start + 100])
        platform.traffic.clear()
        run = exporter(tmp_path, platform)
        ended = (await run.export("out.zip", *FIRST, what=ALL)).ok()
        assert numbers(ended, "stored", "owed") == (229 + 5, 0)
        ours = [json.loads(data) for data in run.documents("out.zip").values()]
        expected = [content for rows in theirs.values() for _, content in rows]
        assert Counter(map(_text, ours)) == Counter(map(_text, expected))
        assert platform.traffic.requests["contents"] == 3
        longest = max(line.query.count("%2C") + line.query.count(",") for line in platform.traffic.log)
        assert longest < 100


async def test_the_first_api_follows_changes(tmp_path: Path) -> None:
    """A second pass stores nothing; a correction is stored, an invalidated input's annotation is deleted."""
    async with AnnotellPlatform(30, api="1.0", size=400) as platform:
        run = exporter(tmp_path, platform)
        (await run.export("out.zip", *FIRST, what=ALL)).ok()
        again = (await run.export("out.zip", *FIRST, what=ALL)).ok()
        assert numbers(again, "stored", "unchanged", "deleted") == (0, 30, 0)
        platform.world.correct(platform.inputs[4])
        platform.world.invalidate(platform.inputs[9].scene)
        ended = (await run.export("out.zip", *FIRST, what=ALL)).ok()
        assert numbers(ended, "deleted") == (1,)
        found = [json.loads(data) for data in run.documents("out.zip").values()]
        expected = [content for contents in platform.contents().values() for content in contents]
        assert Counter(map(_text, found)) == Counter(map(_text, expected))


async def test_a_broken_listing_deletes_nothing(tmp_path: Path) -> None:
    """A chunk of contents that can't be had ends with 75 and deletes nothing."""
    async with AnnotellPlatform(120, api="1.0", size=200) as platform:
        run = exporter(tmp_path, platform)
        (await run.export("out.zip", *FIRST, what=ALL)).ok()
        before = run.documents("out.zip")
        platform.world.invalidate(platform.inputs[2].scene)
        platform.faults.add("status", route="contents", after=1, times=None, status=503)
        ended = await run.export("out.zip", *FIRST, *HASTY, what=ALL)
        assert ended.code == 75, ended.err
        assert run.documents("out.zip") == before


async def test_the_wrong_release_is_explained(tmp_path: Path) -> None:
    """A server that speaks the first release only, asked for the second: 78, and which option to set."""
    async with AnnotellPlatform(3, api="1.0") as platform:
        ended = await exporter(tmp_path, platform).export("out.zip", "--set", "api=1.1", what=ALL)
        assert ended.code == 78, ended.err
        assert "api: 1.0" in ended.err
        assert not (tmp_path / "out.zip").exists()


async def test_the_old_variables_are_read(tmp_path: Path) -> None:
    """Id and secret in the old client's variables do as well as a file, and a wrong secret ends with 77."""
    async with AnnotellPlatform(2) as platform:
        pair = {"ANNOTELL_CLIENT_ID": platform.auth.client_id, "ANNOTELL_CLIENT_SECRET": platform.auth.client_secret}
        (await exporter(tmp_path, platform, ANNOTELL_CREDENTIALS="", **pair).export("out/", what=ALL)).ok()
        pair["ANNOTELL_CLIENT_SECRET"] = "mistyped-secret"
        wrong = await exporter(tmp_path, platform, ANNOTELL_CREDENTIALS="", **pair).export("other/", what=ALL)
        assert wrong.code == 77, wrong.err
        assert "mistyped-secret" not in wrong.err


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
