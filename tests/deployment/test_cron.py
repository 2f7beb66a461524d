"""The crontab of `config/cron`: lines that cron reads, and commands that exist."""

import re
import shlex

from syncer.app.registry import built_in
from tests.support.commands import parsed
from tests.support.tree import ROOT

CRONTAB = ROOT / "config" / "cron" / "syncer"


def _lines() -> list[str]:
    return [line for line in CRONTAB.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def test_cron_lines_are_commands() -> None:
    """Each entry has five fields, a user, and a command that exists; cron ends the last line only at its end."""
    assert CRONTAB.read_text("utf-8").endswith("\n")
    entries = [line for line in _lines() if line[0] in {"*", *"0123456789"}]
    told = []
    for line in entries:
        *when, user, command = line.split(None, 6)
        assert all(re.fullmatch(r"[\d*/,-]+", field) for field in when)
        assert user == "syncer"
        assert "%" not in command  # cron takes it for the end of the line
        told.append((shlex.split(command)[1], parsed(command)))
    assert [name for name, _ in told] == ["sync", "verify"]
    assert told[0][1]["flags"].ping.startswith("file:/")


def test_cron_sets_what_it_has_to() -> None:
    """Variables stand before the entries: a shell, a path with the tool, and who gets what was printed."""
    names = [line.partition("=")[0] for line in _lines()]
    assert names[:3] == ["SHELL", "PATH", "MAILTO"]
    assert len(_lines()) == 5


def test_cron_runs_with_the_settings_of_the_units() -> None:
    """The settings that the crontab points to load, and the folder that it writes its metrics to is the user's own."""
    settings = built_in().settings(ROOT / "config" / "systemd" / "syncer.yaml", environ={})
    assert settings.state.startswith("sqlite:/var/lib/syncer/")
    assert "--metrics-file /var/lib/syncer/" in CRONTAB.read_text("utf-8")
