"""Functions that documents pass."""

import sys
from pathlib import Path

import pytest

from syncer.app.transforms import as_transform, find_transform
from syncer.model.errors import SettingsError
from syncer.model.refs import AnnotationRef, ItemKey

REF = AnnotationRef(ItemKey("annotation", "7", None, None, "1"), "v1")


class Doubled:
    """A transform with a version of its own."""

    version = "2"

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return the body twice."""
        return body * 2


def _text(body: bytes, ref: AnnotationRef) -> str:
    return body.decode()


def test_a_function_of_an_installed_module(tmp_path: Path) -> None:
    """`module:function` is imported; dots reach into classes."""
    assert find_transform(f"{__name__}:Doubled", {}, tmp_path)(b"ab", REF) == b"abab"
    assert find_transform(f"{__name__}:Doubled", {}, tmp_path).version == "2"


def test_a_module_beside_the_configuration(tmp_path: Path) -> None:
    """A module that is not installed is found beside the file, and does not enter `sys.modules`."""
    (tmp_path / "cleaning.py").write_text("def strip(body, ref):\n    return body.strip()\n")
    found = find_transform("cleaning:strip", {}, tmp_path)
    assert found(b" x ", REF) == b"x"
    assert "cleaning" not in sys.modules


def test_rule_15_an_edited_function_has_another_version(tmp_path: Path) -> None:
    """The version of a plain function follows its source, so its items count as changed."""
    file = tmp_path / "cleaning.py"
    versions = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "cleaning.py"
        file.write_text(f"def strip(body, ref):\n    return body.strip() + b'{name}'\n")
        versions.append(find_transform("cleaning:strip", {}, tmp_path / name).version)
    assert versions[0] != versions[1]
    assert all(version.startswith("cleaning:strip@") for version in versions)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "no transform 'nothing'; known: openlabel"),
        ("no_such_module:f", "can't import no_such_module"),
        ("broken:f", r"can't import broken\.py: ZeroDivisionError"),
        ("needy:f", r"can't import needy\.py: ModuleNotFoundError: No module named 'not_there'"),
        ("json:nope", "module json has no function 'nope'"),
        ("json:__name__", "transform 'json:__name__' is not a function"),
    ],
)
def test_what_can_not_be_found_is_named(tmp_path: Path, name: str, words: str) -> None:
    """Unknown names, modules that fail and things that can't be called are settings errors."""
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "needy.py").write_text("import not_there\n")
    with pytest.raises(SettingsError, match=words):
        find_transform(name, {}, tmp_path)


def test_a_function_that_returns_no_bytes_owes_the_item(tmp_path: Path) -> None:
    """A wrong result is a refusal of the document, not a crash; where a function only checks, it does not matter."""
    with pytest.raises(ValueError, match="returned str, not bytes"):
        as_transform(_text, "text")(b"x", REF)
    assert as_transform(_text, "text", checks=True)(b"x", REF) == b"x"


def test_a_callable_without_source_still_has_a_version() -> None:
    """Built-in functions have no source; their kind stands for it."""
    assert as_transform(max, "largest").version.startswith("largest@")
