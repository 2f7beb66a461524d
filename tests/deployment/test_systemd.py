"""The units of `config/systemd`: systemd accepts them, they lock the tool in, and they start commands that exist."""

import re
import shlex
import stat
from pathlib import Path

import pytest

from syncer.app.registry import built_in
from syncer.model.errors import Exit
from syncer.model.units import seconds
from syncer.settings.daemon import DaemonOptions
from tests.support.commands import parsed
from tests.support.programs import said
from tests.support.tree import ROOT
from tests.support.units import unit

UNITS = ROOT / "config" / "systemd"
SERVICES = ("syncer.service", "syncer-sync.service")
SETTINGS = UNITS / "syncer.yaml"

#: What `systemd-analyze security` may give a service at most, of 10: a server on the network that is locked in well.
EXPOSURE = 1.2

services = pytest.mark.parametrize("name", SERVICES)


def _installed(folder: Path) -> None:
    """Put copies of the units beside each other, with a program in place of the one that they start."""
    program = folder / "syncer"
    program.write_text("#!/bin/true\n", "utf-8")
    program.chmod(stat.S_IRWXU)
    for path in UNITS.glob("syncer*.[st]*"):
        text = path.read_text("utf-8")
        (folder / path.name).write_text(text.replace("/opt/syncer/bin/syncer", str(program)), "utf-8")


def _command(name: str) -> list[str]:
    (line,) = unit(UNITS / name)["Service"]["ExecStart"]
    return shlex.split(line)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about any of them: no unknown setting, no value out of place."""
    _installed(tmp_path)
    for name in (*SERVICES, "syncer-sync.timer"):
        told = said("systemd-analyze", "verify", "--man=no", tmp_path / name)
        # Other units of this machine may have faults of their own.
        assert not [line for line in told.splitlines() if "syncer" in line]


def test_the_check_of_units_finds_mistakes(tmp_path: Path) -> None:
    """A misspelt setting is named."""
    _installed(tmp_path)
    file = tmp_path / "syncer.service"
    file.write_text(file.read_text("utf-8").replace("WatchdogSec=", "WatchDogSec="), "utf-8")
    assert "'WatchDogSec'" in said("systemd-analyze", "verify", "--man=no", file)


@services
def test_services_are_locked_in(name: str, tmp_path: Path) -> None:
    """By systemd's own count, little of the machine is exposed to a service that goes wrong."""
    _installed(tmp_path)
    words = ("security", "--no-pager", "--offline=true", f"--threshold={round(EXPOSURE * 10)}", tmp_path / name)
    told = said("systemd-analyze", *words)
    score = re.search(rf"exposure level for {name}: ([\d.]+)", told)
    assert score is not None
    print(score[0])
    assert float(score[1]) <= EXPOSURE


def test_both_services_are_locked_in_alike() -> None:
    """All that is not about how they start and stop is the same in both."""
    own = {"Type", "ExecStart", "ExecReload", "TimeoutStartSec", "WatchdogSec", "Restart", "RestartSec",
           "RestartPreventExitStatus"}  # fmt: skip
    daemon, once = (unit(UNITS / name)["Service"] for name in SERVICES)
    assert daemon.keys() - own == once.keys() - own
    assert {key: daemon[key] for key in daemon.keys() - own} == {key: once[key] for key in once.keys() - own}


@services
def test_services_are_given_the_time_to_stop(name: str) -> None:
    """A SIGTERM goes to the tool alone, and it is killed later than it takes to drain."""
    service = unit(UNITS / name)["Service"]
    assert (service["KillSignal"], service["KillMode"]) == (["SIGTERM"], ["mixed"])
    assert seconds(f"{service['TimeoutStopSec'][0]}s") >= 2 * DaemonOptions().grace


@services
def test_services_find_what_the_settings_name(name: str) -> None:
    """State and destinations lie in the service's own folder, and the secret comes from its credentials."""
    service = unit(UNITS / name)["Service"]
    told = dict(value.split("=", 1) for value in service["Environment"])
    given = "/run/credentials/x"
    environment = {variable: value.replace("%d", given) for variable, value in told.items()}
    settings = built_in().settings(SETTINGS, environ=environment)
    (state,) = service["StateDirectory"]
    places = [settings.state.removeprefix("sqlite:")]
    places += [sink.options.model_dump()["url"].removeprefix("file:") for sink in settings.sinks.values()]
    assert all(Path(place).is_relative_to(Path("/var/lib", state)) for place in places)
    loaded = dict(value.split(":", 1) for value in service["LoadCredential"])
    secrets = {secret.source for platform in settings.platforms.values() for secret in platform.secrets()}
    assert secrets == {f"file:{given}/{credential}" for credential in loaded}
    # By hand, and from cron, the same file is read where it lies.
    plain = built_in().settings(SETTINGS, environ={})
    secrets = {secret.source for platform in plain.platforms.values() for secret in platform.secrets()}
    assert secrets == {f"file:{place}" for place in loaded.values()}
    assert _command(name)[_command(name).index("--config") + 1] == "/etc/syncer/syncer.yaml"


def test_the_daemon_is_restarted_where_that_helps() -> None:
    """It tells systemd that it is ready and alive; usage, permission and settings are left to a human."""
    service = unit(UNITS / "syncer.service")["Service"]
    assert (service["Type"], service["Restart"]) == (["notify"], ["on-failure"])
    assert int(service["WatchdogSec"][0]) > 0
    (codes,) = service["RestartPreventExitStatus"]
    assert {int(code) for code in codes.split()} == {Exit.USAGE, Exit.PERMISSION, Exit.SETTINGS}


def test_the_timer_starts_the_pass() -> None:
    """The timer's service is the one of its name, which ends by itself."""
    timer, service = unit(UNITS / "syncer-sync.timer"), unit(UNITS / "syncer-sync.service")
    assert "Unit" not in timer["Timer"]
    assert service["Service"]["Type"] == ["oneshot"]
    said("systemd-analyze", "calendar", timer["Timer"]["OnCalendar"][0])


@services
def test_services_start_what_exists(name: str) -> None:
    """The command and its options are the tool's."""
    program, *words = _command(name)
    assert program == "/opt/syncer/bin/syncer"
    parsed(["syncer", *words])
