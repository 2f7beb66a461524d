"""What is installed is what was meant: dependencies, pins, the wheel, the image, and the examples of `config/`."""

import ast
import fnmatch
import inspect
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import syncer
from syncer.app.registry import BUILT_IN, built_in
from syncer.model.errors import Exit
from tests import run
from tests.support import annotell_client, clients, labelstudio
from tests.support.commands import parsed
from tests.support.tree import ROOT, sources

PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: Distributions whose modules are not called like them.
MODULES: Mapping[str, set[str]] = {"pyyaml": {"yaml"}, "pydantic": {"pydantic", "pydantic_core"}}
#: Declared, and never imported by name: anyio's event loop, where it is installed.
UNNAMED = {"uvloop"}

KUBERNETES = ROOT / "config" / "kubernetes"


def _requirements(texts: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(each.name): each for each in map(Requirement, texts)}


def _pins() -> dict[str, Version]:
    lines = (ROOT / "tests" / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    assert len({canonicalize_name(name) for name, _ in pairs}) == len(pairs)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_every_requirement_is_pinned_for_the_tests() -> None:
    """Each requirement, those of the tests included, has one exact pin that it accepts, from a registry."""
    pins = _pins()
    wanted = {**_requirements(PROJECT["dependencies"]), **_requirements(PROJECT["optional-dependencies"]["test"])}
    assert not wanted.keys() - pins.keys()
    assert not [name for name, each in wanted.items() if not each.specifier.contains(pins[name])]
    assert not [name for name, each in wanted.items() if each.url]


def test_dependencies_are_what_is_imported() -> None:
    """The package imports nothing that it does not declare, and declares nothing that it does not import."""
    own = {*sys.stdlib_module_names, "syncer"}
    imported: set[str] = set()
    for source in sources("syncer"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert _requirements(PROJECT["optional-dependencies"]["postgres"]).keys() == {"psycopg"}
    imported.remove("psycopg")  # one folder needs an extra, and is itself imported when it is used
    declared = {name: MODULES.get(name, {name}) for name in _requirements(PROJECT["dependencies"])}
    assert imported - own == set().union(*declared.values()) - UNNAMED


def test_entry_points_are_the_built_in_plug_ins() -> None:
    """What the package offers at its entry points is what it knows without being installed."""
    offered = {group.removeprefix("syncer."): dict(found) for group, found in PROJECT["entry-points"].items()}
    assert offered == {group: dict(found) for group, found in BUILT_IN.items() if found}
    module, _, name = PROJECT["scripts"]["syncer"].partition(":")
    assert callable(getattr(import_module(module), name))


def test_the_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    """The wheel has every file of the package, migrations and the type marker included, and nothing else."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, check=True, timeout=100,
    )  # fmt: skip
    (wheel,) = tmp_path.iterdir()
    assert wheel.name == f"annotation_syncer-{syncer.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"annotation_syncer-{syncer.__version__}.dist-info"
        points = ConfigParser()
        points.read_string(archive.read(f"{info}/entry_points.txt").decode())
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "syncer").rglob("*") if path.is_file()}
    meant = {name for name in files if not re.search(r"(^|/)(__pycache__|\.[^/]+)/", name)}
    assert {name for name in names if not name.startswith(info)} == meant
    assert {"syncer/py.typed", "syncer/DESIGN.md", "syncer/state/migrations/sqlite/0001_initial.sql"} <= names
    assert points["console_scripts"]["syncer"] == "syncer.cli:main"


def test_the_set_up_of_the_tests_agrees_with_them() -> None:
    """`tests/run.py` installs the release that the tests name, and hands it over where they look."""
    assert f"label-studio=={labelstudio.RELEASE}" == run.LABEL_STUDIO
    told = set(re.findall(r"SYNCER_TEST_\w+", inspect.getsource(run)))
    readers = "".join(inspect.getsource(module) for module in (labelstudio, annotell_client, clients))
    assert told == set(re.findall(r"SYNCER_TEST_\w+", readers))
    assert set(clients.VERSIONS) == set(run.CLIENTS)
    checks = ROOT / ".ci" / "run"
    assert os.access(checks, os.X_OK)
    assert "tests/run.py" in checks.read_text("utf-8")


def _instructions() -> list[tuple[str, str]]:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and line[0] != "#")]


def test_the_image_is_built_from_what_is_sent() -> None:
    """Each file that the image copies exists and is let through by `.dockerignore`, and all that it needs is there."""
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sent = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {
        name
        for word, rest in _instructions()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    assert {"syncer", "pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]} <= copied


def test_the_image_runs_as_nobody_special() -> None:
    """Two stages of the oldest supported Python, no shell, a user by number, and `syncer` as the way in."""
    instructions = _instructions()
    stages = [rest for word, rest in instructions if word == "FROM"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert stages == [f"python:{oldest}-slim AS build", f"python:{oldest}-slim"]
    assert all(rest.startswith("[") for word, rest in instructions if word in {"RUN", "ENTRYPOINT", "CMD"})
    last = dict(instructions)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last["USER"])
    assert last["ENTRYPOINT"] == '["syncer"]'


def test_cron_lines_are_commands() -> None:
    """Each line of the crontab has five fields, a user, and a command that exists."""
    lines = (ROOT / "config" / "cron" / "syncer").read_text("utf-8").splitlines()
    entries = [line for line in lines if line[:1] in {"*", *"0123456789"}]
    assert entries
    for line in entries:
        *when, user, command = line.split(None, 6)
        assert all(re.fullmatch(r"[\d*/,-]+", field) for field in when)
        assert user == "syncer"
        assert "%" not in command  # cron takes it for the end of the line
        parsed(command)


def _documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text("utf-8")))


def _job(name: str) -> Mapping[str, Any]:
    """Return the specification of the Job in a file."""
    (document,) = _documents(name)
    spec: Mapping[str, Any] = document["spec"]
    return spec["jobTemplate"]["spec"] if document["kind"] == "CronJob" else spec


@pytest.mark.parametrize("name", ["cronjob.yaml", "job.yaml"])
def test_rule_21_kubernetes_knows_the_exit_codes(name: str) -> None:
    """Every exit code but 0 stands in one rule; only those that another attempt can heal are tried again."""
    spec = _job(name)
    rules = [rule for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    decided = {code: rule["action"] for rule in rules for code in rule["onExitCodes"]["values"]}
    assert sum(len(rule["onExitCodes"]["values"]) for rule in rules) == len(decided)
    assert decided.keys() == set(Exit) - {Exit.DONE}
    assert {code for code, action in decided.items() if action == "Count"} == {Exit.NOT_NOW, Exit.STOPPED}
    (container,) = spec["template"]["spec"]["containers"]
    assert {rule["onExitCodes"]["containerName"] for rule in rules} == {container["name"]}
    # Kubernetes refuses the policy with any other.
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("name", ["cronjob.yaml", "job.yaml"])
def test_kubernetes_runs_what_exists(name: str, tmp_path: Path) -> None:
    """The command exists, its jobs are in the shared configuration, and every path of that is on a volume."""
    pod = _job(name)["template"]["spec"]
    (container,) = pod["containers"]
    said = parsed(["syncer", *container["args"]])
    shared = _documents("settings.yaml")
    config = next(each for each in shared if each["kind"] == "ConfigMap")
    claims = {each["metadata"]["name"] for each in shared if each["kind"] == "PersistentVolumeClaim"}
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v} == claims
    assert volumes["settings"]["configMap"]["name"] == config["metadata"]["name"]
    (file_name, text) = next(iter(config["data"].items()))
    assert str(said["here"].config) == f"{mounts['settings']}/{file_name}"
    file = tmp_path / file_name
    file.write_text(text, "utf-8")
    settings = built_in().settings(file, environ={})
    assert set(said.get("jobs", ())) <= settings.jobs.keys()
    assert settings.state == f"sqlite:{mounts['state']}/state.db"
    roots = [sink.options.model_dump()["url"].removeprefix("file:") for sink in settings.sinks.values()]
    assert all(fnmatch.fnmatch(root, f"{mounts['data']}/*") for root in roots)
    assert all(
        secret.source.startswith(f"file:{mounts['token']}/")
        for p in settings.platforms.values()
        for secret in p.secrets()
    )
    assert container["image"] == f"annotation-syncer:{syncer.__version__}"
    user = dict(_instructions())["USER"]
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == user
