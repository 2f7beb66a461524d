"""What is public says what it promises; what is tested says what it proves."""

import ast
from collections.abc import Iterator

from tests.support.tree import Definition, Source, every_test, sources


def _public(body: list[ast.stmt], inside: str) -> Iterator[tuple[str, Definition]]:
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield f"{inside}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{inside}.{node.name}")


def _silent(source: Source) -> Iterator[str]:
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield source.name
    for name, node in _public(source.tree.body, source.module):
        overload = any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)
        setter = any(isinstance(mark, ast.Attribute) and mark.attr == "setter" for mark in node.decorator_list)
        if not (overload or setter or ast.get_docstring(node)):
            yield name


def test_everything_public_has_a_docstring() -> None:
    """Every module, public class and public function of the package has a docstring."""
    assert not [name for source in sources("syncer") for name in _silent(source)]


def test_every_room_says_what_it_is_for() -> None:
    """Every `__init__.py` of the package says what lives there, in a docstring of at most ten lines."""
    wrong = [
        source.name
        for source in sources("syncer")
        if source.name.endswith("/__init__.py")
        and not 0 < len((ast.get_docstring(source.tree) or "").splitlines()) <= 10
    ]
    assert not wrong


def test_every_test_says_what_it_proves() -> None:
    """Every test has a docstring of one sentence that ends with a full stop."""
    wrong: list[str] = []
    for source, node in every_test():
        said = ast.get_docstring(node) or ""
        if not said or "\n\n" in said or not said.rstrip().endswith((".", "!", "?")):
            wrong.append(f"{source.name}::{node.name}")
    assert not wrong


def test_no_two_tests_of_a_file_share_a_name() -> None:
    """A second function of the same name would silently replace the first."""
    seen: set[tuple[str, str]] = set()
    twice: list[str] = []
    for source in sources("tests"):
        for owner in ast.walk(source.tree):
            if not isinstance(owner, ast.Module | ast.ClassDef):
                continue
            where = source.name if isinstance(owner, ast.Module) else f"{source.name}::{owner.name}"
            for node in owner.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    key = (where, node.name)
                    if key in seen:
                        twice.append("::".join(key))
                    seen.add(key)
    assert not twice
