"""What is installed is what was meant: dependencies, pins, the wheel, and the set-up of the tests."""

import ast
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

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import syncer
from syncer.app.registry import BUILT_IN
from tests import run
from tests.support import annotell_client, clients, labelstudio
from tests.support.tree import ROOT, sources

PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: Distributions whose modules are not called like them.
MODULES: Mapping[str, set[str]] = {
    "pyyaml": {"yaml"}, "pydantic": {"pydantic", "pydantic_core"}, "prometheus-client": {"prometheus_client"},
}  # fmt: skip
#: Declared, and never imported by name: anyio's event loop, where it is installed.
UNNAMED = {"uvloop"}


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
    # Rooms that need an extra are themselves imported when they are used.
    extras = {
        "postgres": ("psycopg", "procrastinate"), "otel": ("opentelemetry",), "parquet": ("pyarrow",),
        "zstd": ("zstandard",),
    }  # fmt: skip
    for extra, modules in extras.items():
        assert all(name.startswith(modules) for name in _requirements(PROJECT["optional-dependencies"][extra]))
        assert imported.issuperset(modules)
        imported -= set(modules)
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
