"""`redact`: named fields go before anything is written, wherever they stand."""

import json
import zipfile
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.support.traces import traces
from tests.unit.cli.conftest import Run

NAME = "Ada-of-no-other-file"
BODY = b'{"box":[1.10, 2],"name":"%s","reviews":[{"by":"%s","ok":true}],"n":12345678901234567890}' % (
    NAME.encode(), NAME.encode(),
)  # fmt: skip
LEFT = b'{"box":[1.10, 2],"reviews":[{"ok":true}],"n":12345678901234567890}'


@pytest.fixture
def redacted(config: Path, platform: MemoryPlatform) -> Path:
    """Let the platform drop who did the work; its items name somebody in documents, columns and context."""
    config.write_text(config.read_text().replace("{type: memory,", "{type: memory, redact: [people],"))
    platform.put("3", BODY, fields={"name": NAME, "filename": "3.jpg"})
    platform.put("photo", NAME.encode(), kind="media")
    platform.context("7", b'{"name":"%s","labels":["car"]}' % NAME.encode())
    return config.parent


def test_nothing_that_is_written_names_anybody(run: Run, redacted: Path) -> None:
    """Documents keep every other byte; columns and context documents lose the same names; media stay as they are."""
    assert run("sync").code == Exit.DONE
    assert (redacted / "lake" / "3.json").read_bytes() == LEFT
    with zipfile.ZipFile(redacted / "box" / "7.zip") as archive:
        assert archive.read("3.json") == LEFT
    left = traces(redacted, [NAME])
    assert all("photo" in each or ".zip" in each for each in left), left
    row = next(each for each in run("manifest", "files", "-o", "json").json() if each["item"] == "3")
    assert row["fields"] == {"filename": "3.jpg"}


def test_an_envelope_is_redacted_too(run: Run, redacted: Path) -> None:
    """Identifiers around the content are made of what is left."""
    config = redacted / "syncer.yaml"
    config.write_text(config.read_text().replace('url: "file:lake"', 'url: "file:lake", document: envelope'))
    assert run("sync", "files").code == Exit.DONE
    document = json.loads((redacted / "lake" / "3.json").read_bytes())
    assert document["fields"] == {"filename": "3.jpg"}
    assert "name" not in document["content"]


def test_it_shapes_what_is_stored(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """A changed list makes items changed, named as the reason; the same list changes nothing."""
    platform.put("3", BODY)
    assert run("sync", "files").code == Exit.DONE
    config.write_text(config.read_text().replace("sinks: [lake]}", "sinks: [lake], redact: [name]}"))
    assert "redact" in run("plan", "files", "--full").words()
    assert "stored 5" in run("sync", "files", "--full").words()
    assert b"name" not in (config.parent / "lake" / "3.json").read_bytes()
    assert "unchanged 5" in run("sync", "files", "--full").words()


def test_a_name_that_meets_nothing_is_told(run: Run, redacted: Path) -> None:
    """Somebody believes that it protects somebody."""
    config = redacted / "syncer.yaml"
    config.write_text(config.read_text().replace("sinks: [lake]}", "sinks: [lake], redact: [nmae, /box]}"))
    assert "redact: nmae met nothing in 6 documents" in run("sync", "files").err


def test_what_nobody_can_read_is_owed(run: Run, redacted: Path, platform: MemoryPlatform) -> None:
    """A document that is no JSON might name anybody, so it is not stored."""
    platform.put("4", b'{"name":"%s"' % NAME.encode())
    ended = run("sync", "files")
    assert ended.code == Exit.OWING
    assert "`redact` can't read it" in ended.words()
    assert not (redacted / "lake" / "4.json").exists()


@pytest.mark.parametrize("entry", ["a/b", "/a/**"])
def test_an_entry_that_names_nothing_is_refused(run: Run, config: Path, entry: str) -> None:
    """The message says which, and how it is written."""
    config.write_text(config.read_text().replace("sinks: [lake]}", f"sinks: [lake], redact: [{entry}]}}"))
    ended = run("sync", "files")
    assert ended.code == Exit.SETTINGS
    assert entry in ended.words()


def test_a_path_template_needs_what_stays(run: Run, redacted: Path) -> None:
    """A name that nobody is to know can't be a folder."""
    config = redacted / "syncer.yaml"
    config.write_text(config.read_text().replace('url: "file:lake"', 'url: "file:lake", path: "{name}/{item}.json"'))
    assert run("sync", "files").code == Exit.SETTINGS
