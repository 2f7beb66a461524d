"""Every configuration file of `config`: it loads as it lies there, and an editor finds nothing wrong with it."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from syncer.app.registry import built_in
from tests.support.command import syncer
from tests.support.tree import ROOT

CONFIG = ROOT / "config"
FILES = [path for path in sorted(CONFIG.rglob("*.yaml")) if "\njobs:" in path.read_text("utf-8")]


def test_the_files_are_found() -> None:
    """There is one to learn from, one for a machine, one for a cluster, one for a fleet."""
    names = [path.relative_to(CONFIG).as_posix() for path in FILES]
    assert names == [
        "kubernetes/base/syncer.yaml", "kubernetes/fleet/syncer.yaml", "syncer.example.yaml", "systemd/syncer.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.relative_to(CONFIG).as_posix())
def test_settings_load(file: Path, tmp_path: Path) -> None:
    """`syncer config show` prints it with its defaults, credentials masked, and the schema for editors accepts it."""
    written = yaml.safe_load(file.read_text("utf-8"))
    # Where the state is, is read at once: the Secret of a cluster is not here.
    words = ("--set", f"state=sqlite:{tmp_path / 'state.db'}") if str(written["state"]).startswith("file:") else ()
    shown = yaml.safe_load(syncer("config", "show", "--config", file, *words, cwd=tmp_path).ok().out)
    assert shown["jobs"].keys() == written["jobs"].keys()
    assert shown["platforms"].keys() == written["platforms"].keys()
    assert [each.message for each in Draft202012Validator(built_in().schema()).iter_errors(written)] == []
