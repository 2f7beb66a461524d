"""Imports only go down: the contracts of pyproject.toml, run as an ordinary test."""

import contextlib
import io
import os

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.support.tree import ROOT


def test_imports_keep_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every import-linter contract of pyproject.toml is kept."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = lint_imports(no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, said.getvalue()
