"""Documents that are parsed before a function gets them, and the check that is made of it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from kognic.openlabel.models import OpenLabelAnnotation
from pydantic import BaseModel

from syncer.app import openlabel
from syncer.app.parsed import parse, parsing
from syncer.app.transforms import find_transform
from syncer.model.errors import SettingsError
from syncer.model.refs import AnnotationRef, ItemKey
from tests.emulators.kognic import KognicPlatform

REF = AnnotationRef(ItemKey("annotation", "7", None, None, "1"), "v1", fields={"day": "2026-11-22"})


class Car(BaseModel):
    """A document of these tests."""

    name: str
    wheels: int


def _document() -> bytes:
    platform = KognicPlatform(1)
    return platform.document(platform.inputs[0].annotation)


def _of_model(car: Car) -> bytes:
    return f"{car.name} {car.wheels}".encode()


def _of_model_and_ref(car: Car, ref: AnnotationRef) -> bytes:
    return f"{car.name} {ref.fields['day']}".encode()


def _of_body(body: bytes) -> bytes:
    return body.upper()


def _of_anything(*parts: Any) -> int:
    return len(parts)


class _Method:
    """An object that is called."""

    def __call__(self, car: Car, ref: AnnotationRef) -> str:
        """Return the name."""
        return f"{car.name} {ref.version}"


@pytest.mark.parametrize(
    ("function", "outcome"),
    [
        (_of_model, b"bus 6"),
        (_of_model_and_ref, b"bus 2026-11-22"),
        (_of_body, b'{"NAME":"BUS","WHEELS":6}'),
        (_of_anything, 2),
        (_Method(), "bus v1"),
        (len, 25),
    ],
)
def test_a_function_gets_what_its_first_parameter_says(function: Any, outcome: object) -> None:
    """A pydantic model as annotation gets the parsed document, bytes the bytes; the reference is second, if at all."""
    assert parsing(function)(b'{"name":"bus","wheels":6}', REF) == outcome


def test_a_document_that_does_not_fit_is_named_without_its_content() -> None:
    """The reason says where and what, at most three times, and nothing of the values."""
    with pytest.raises(ValueError, match=r"^not a Car: wheels: Input should be a valid integer") as caught:
        parse(Car, b'{"name":"secret","wheels":"secret"}')
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ValueError, match=r"^not a Car: document: Invalid JSON"):
        parse(Car, b"<html>")


def test_openlabel_lets_a_document_pass_unchanged(tmp_path: Path) -> None:
    """The check returns the very bytes, and its version names the model's release."""
    check = find_transform("openlabel", {}, tmp_path, checks=True)
    document = _document()
    assert check(document, REF) is document
    assert check.version.startswith("openlabel@")


def test_openlabel_refuses_what_is_none(tmp_path: Path) -> None:
    """A document with something missing, or of another kind, is refused with the reason."""
    check = find_transform("openlabel", {}, tmp_path, checks=True)
    spoiled = json.loads(_document())
    spoiled["openlabel"]["metadata"]["schema_version"] = "0.0"
    for document in (json.dumps(spoiled).encode(), b'{"shapes":{}}', b"[]"):
        with pytest.raises(ValueError, match=r"^not a OpenLabelAnnotation: "):
            check(document, REF)


def test_openlabel_says_which_extra_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package a job that asks for the check is refused, with the line that installs it."""
    monkeypatch.setitem(sys.modules, openlabel.MODULE, None)
    with pytest.raises(SettingsError, match="kognic-openlabel") as caught:
        find_transform("openlabel", {}, tmp_path, checks=True)
    assert caught.value.hint == "pip install 'annotation-syncer[openlabel]'"


def test_a_conversion_of_openlabel_gets_the_parsed_annotation(tmp_path: Path) -> None:
    """The three lines that convert a vendor's document into another format, in a file beside the configuration."""
    (tmp_path / "convert.py").write_text(
        "from kognic.openlabel.models import OpenLabelAnnotation\n"
        "def to_custom(annotation: OpenLabelAnnotation) -> bytes:\n"
        "    return annotation.openlabel.metadata.schema_version.value.encode()\n"
    )
    document = _document()
    expected = OpenLabelAnnotation.model_validate_json(document).openlabel.metadata.schema_version
    assert expected is not None
    assert find_transform("convert:to_custom", {}, tmp_path)(document, REF) == expected.value.encode()
