"""The doors: one package, one name for each."""

import ast

import syncer.ports
from tests.support.tree import sources


def test_every_door_is_exported() -> None:
    """`syncer.ports` re-exports every public class of its files, sorted, and each stands in one file only."""
    defined = [
        node.name
        for source in sources("syncer/ports")
        for node in source.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert len(defined) == len(set(defined))
    assert syncer.ports.__all__ == sorted(
        [
            *defined,
            "Beside",
            "ManifestRow",
            "CircuitState",
            "FleetRunState",
            "JobState",
            "Place",
            "Share",
            "WorkerState",
            "whole",
        ]
    )
    assert all(hasattr(syncer.ports, name) for name in syncer.ports.__all__)


def test_everybody_comes_in_by_the_front_door() -> None:
    """Other rooms import from `syncer.ports`, never from one of its files."""
    wrong = [
        f"{source.name}:{node.lineno}"
        for folder in ("syncer", "tests")
        for source in sources(folder)
        if not source.name.startswith("syncer/ports/")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("syncer.ports.")
    ]
    assert not wrong
