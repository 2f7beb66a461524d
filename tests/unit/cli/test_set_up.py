"""`init`, `config`, `doctor`: from nothing to a configuration that works."""

import errno
import json
import os
from pathlib import Path

import pytest
import yaml

from syncer.blobs.folder import FolderBlobs
from syncer.cli.context import level_of
from syncer.cli.options import Everywhere
from syncer.model.errors import Exit
from syncer.settings import LogOptions
from tests.unit.cli.conftest import Run


def test_init_writes_a_file_that_works_and_replaces_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The starter is a valid configuration; a file that is there is never touched."""
    assert run("init").code == Exit.DONE
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0123456789abcdef")
    shown = yaml.safe_load(run("config", "show").out)
    assert shown["jobs"]["studio"]["select"]["projects"] == ["*"]
    text = (tmp_path / "syncer.yaml").read_text()
    refused = run("init")
    assert (refused.code, (tmp_path / "syncer.yaml").read_text()) == (Exit.USAGE, text)
    assert run("init", "-c", "other.yaml").code == Exit.DONE
    assert run("init", "-c", "nowhere/other.yaml").code == Exit.USAGE


def test_rule_24_config_show_masks_credentials(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are shown as their references, a literal one as just that; both forms are parseable."""
    monkeypatch.setenv("STUDIO_KEY", "sesame-open-1234")
    config.write_text(
        config.read_text().replace(
            "platforms: {", "platforms: {a: {type: label_studio, token: env:STUDIO_KEY}, "
            "b: {type: label_studio, token: sesame-open-5678}, "
        )
    )  # fmt: skip
    ended = run("config", "show", "-q")
    shown = yaml.safe_load(ended.out)
    assert shown["platforms"]["a"]["token"] == "env:STUDIO_KEY"
    assert "literal" in shown["platforms"]["b"]["token"]
    assert "sesame" not in ended.out + ended.err
    assert run("config", "show", "-o", "json").json() == shown
    assert "sesame" not in run("config", "show").err


def test_config_schema_is_json(run: Run) -> None:
    """The schema is JSON and needs no configuration."""
    schema = json.loads(run("config", "schema").out)
    assert {"platforms", "sinks", "jobs", "state"} <= schema["properties"].keys()


def test_doctor_tries_everything(run: Run, config: Path) -> None:
    """Credential, destinations and state are tried for real, and nothing of it stays behind."""
    ended = run("doctor", "-o", "json")
    rows = {row["what"]: row for row in ended.json()}
    assert ended.code == Exit.DONE
    assert {"syncer", "state", "platform mem", "sink lake", "sink box"} <= rows.keys()
    assert {row["result"] for row in rows.values()} == {"ok"}
    assert not (config.parent / "lake").exists()
    assert not (config.parent / "box").exists()
    table = run("doctor")
    assert table.out.splitlines()[0].split() == ["WHAT", "RESULT", "DETAIL"]


def test_doctor_says_what_to_do(run: Run, config: Path) -> None:
    """Each failure has a hint, and the exit code is that of the worst."""
    (config.parent / "lake").write_text("a file where a folder has to be")
    config.write_text(config.read_text().replace("platforms: {", "platforms: {a: {type: label_studio}, "))
    ended = run("doctor")
    assert ended.code == Exit.SETTINGS
    assert "LABEL_STUDIO_API_KEY" in ended.words()
    assert "sink lake" in ended.words()
    assert "failed" in ended.out


def test_doctor_on_a_folder_that_may_not_be_written(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that this user may not write to ends with 77."""
    del config

    async def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(FolderBlobs, "put_many", refuse)
    ended = run("doctor")
    assert ended.code == Exit.PERMISSION
    assert "Permission denied" in ended.out


@pytest.mark.parametrize(
    ("here", "log", "console", "level"),
    [
        (Everywhere(), LogOptions(), True, "warning"),
        (Everywhere(), LogOptions(), False, "info"),
        (Everywhere(verbose=1), LogOptions(), True, "info"),
        (Everywhere(verbose=2), LogOptions(), True, "debug"),
        (Everywhere(verbose=9), LogOptions(), False, "debug"),
        (Everywhere(quiet=True), LogOptions(level="debug"), False, "error"),
        (Everywhere(), LogOptions(level="info"), True, "info"),
        (Everywhere(), LogOptions(level="error"), False, "error"),
    ],
)
def test_how_much_is_logged(here: Everywhere, log: LogOptions, console: bool, level: str) -> None:
    """The file decides, else a person sees warnings and a program what happened; each -v is a step, -q is silence."""
    assert level_of(here, log, console=console) == level
