"""The source tree as data, for the tests of the house."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: The checkout.
ROOT = Path(__file__).resolve().parent.parent.parent

#: A definition of a class or a function.
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    #: Path relative to the checkout, with forward slashes.
    name: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Dotted name: `syncer.flow.run`."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def sources(folder: str) -> tuple[Source, ...]:
    """Return the Python files below a folder of the checkout, in order."""
    found: list[Source] = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        text = path.read_text("utf-8")
        name = path.relative_to(ROOT).as_posix()
        found.append(Source(name, text, ast.parse(text, name)))
    return tuple(found)


def every_test() -> Iterator[tuple[Source, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every test function with its file, methods of test classes included."""
    for source in sources("tests"):
        if not source.name.rpartition("/")[2].startswith("test_"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield source, node
