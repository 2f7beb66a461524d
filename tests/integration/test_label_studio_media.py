"""Files of tasks on a real Label Studio: what was uploaded comes back to the byte, beside the labels about it."""

import os
from pathlib import Path

import pytest

from tests.support.exporting import Exporter, counts, documents
from tests.support.foreign import foreign_server
from tests.support.labelstudio import RealLabelStudio
from tests.support.relay import relaying
from tests.support.studio import box

pytestmark = pytest.mark.timeout(600)

#: Names as people give them; the server cleans them.
NAMES = ("plain.png", "with space.png", "straße (1).png", "large.png")


async def test_uploads_and_links_come_back_to_the_byte(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """Finished tasks bring their files, once; others bring none, and another host sees no token."""
    contents = {name: os.urandom(3 << 20 if name == "large.png" else 500) for name in NAMES}
    async with label_studio.client() as studio, foreign_server(**{"far.png": b"far"}) as foreign:
        project = await studio.create_project("Files")
        expected: dict[str, bytes] = {}
        for name, data in contents.items():
            (task,) = await studio.upload(project, name, data)
            await studio.annotate(task, [box("b")])
            expected[f"{task}.image.png"] = data
        await studio.upload(project, "unfinished.png", b"unfinished")
        (linked,) = await studio.import_tasks(project, [{"data": {"image": f"{foreign.url}/far.png"}}])
        await studio.annotate(linked, [box("b")])
        expected[f"{linked}.image.png"] = b"far"
        async with relaying(label_studio.url) as relay:
            exporter = Exporter(tmp_path, relay.url, label_studio.token)
            for to in ("out/", "out.zip"):
                first = (await exporter.aside(project, to, "--set", "media=true")).ok()
                assert counts(first, "stored", "owed") == {"stored": 2 * len(expected), "owed": 0}
                found = documents(exporter.place(to))
                assert {name: data for name, data in found.items() if not name.endswith(".json")} == expected
                rows = exporter.check(to)
                assert {row["path"] for row in rows if row["kind"] == "media"} == set(expected)
                relay.requests.clear()
                again = (await exporter.aside(project, to, "--set", "media=true")).ok()
                assert counts(again, "stored", "deleted", "withdrawn") == {"stored": 0, "deleted": 0, "withdrawn": 0}
                assert not any("/data/upload/" in request for request in relay.requests)
        assert foreign.leaked == 0
