"""Plug-ins: found, checked, reported when broken, never fatal."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own
from pydantic import BaseModel

from syncer.app import registry
from syncer.app.registry import Registry, built_in, discover
from syncer.model.errors import SettingsError
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.ports import SinkPlugin, SourcePlugin
from syncer.settings import JobOptions, SettingsRefused
from tests.support.configuration import BoxOptions, StudioOptions
from tests.support.tree import ROOT

REF = AnnotationRef(ItemKey("annotation", "7", None, None, "1"), "v1")


class _OpenOptions(BaseModel):
    """Options that take any key."""

    url: str = ""


def _upper(body: bytes, ref: AnnotationRef) -> bytes:
    return body.upper()


def _never(*_: Any) -> Any:
    raise AssertionError


STUDIO = SourcePlugin("studio", "Studio", StudioOptions, _never, {"token": ("env:STUDIO_TOKEN",)})
BOX = SinkPlugin("box", "Box", BoxOptions, _never)
OFFERS: Mapping[str, Any] = {
    "studio": STUDIO,
    "again": SourcePlugin("studio", "Another", StudioOptions, _never),
    "open": SourcePlugin("open", "Takes anything", _OpenOptions, _never),
    "no_model": SourcePlugin("no_model", "No model", dict, _never),
    "not_a_plugin": 5,
    "box": BOX,
    "upper": _upper,
}


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the built-in plug-ins and the entry points of this environment by offers of this file."""
    points: dict[str, list[EntryPoint]] = {}

    def add(kind: str, *names: str) -> None:
        points[f"syncer.{kind}"] = [EntryPoint(name, f"{__name__}:OFFERS", f"syncer.{kind}") for name in names]

    monkeypatch.setattr(registry, "BUILT_IN", {"sources": {}, "sinks": {}, "transforms": {}})
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints(points.get(group, [])))
    monkeypatch.setattr(EntryPoint, "load", lambda point: OFFERS[point.name])
    return add


def test_everything_that_this_package_brings_can_be_loaded() -> None:
    """All built-in plug-ins are there, under the names of pyproject.toml, and none is broken."""
    found = built_in()
    assert found.broken == ()
    assert set(found.sources) >= {"label_studio", "memory"}
    assert set(found.sinks) >= {"memory", "prefix", "zip"}
    declared = (ROOT / "pyproject.toml").read_text()
    for kind, plugins in registry.BUILT_IN.items():
        for name, value in plugins.items():
            assert f'{name} = "{value}"' in declared, kind


def test_an_installed_package_does_not_offer_its_own_twice() -> None:
    """The entry points of this distribution are the built-in plug-ins: no second offer, no complaint."""
    assert discover().broken == built_in().broken
    assert set(discover().sources) >= set(built_in().sources)


def test_foreign_plug_ins_join(offer: Callable[..., None]) -> None:
    """Entry points of other packages are sources, sinks and transforms like our own."""
    offer("sources", "studio")
    offer("sinks", "box")
    offer("transforms", "upper")
    found = discover()
    assert (found.source("studio"), found.sink("box"), found.broken) == (STUDIO, BOX, ())
    assert found.transforms["upper"](b"abc", REF) == b"ABC"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("open", "its options accept unknown keys; set extra='forbid'"),
        ("no_model", "its options are not a pydantic model"),
        ("not_a_plugin", "it offers int, not a SourcePlugin"),
        ("box", "it offers SinkPlugin, not a SourcePlugin"),
        ("absent", "KeyError: 'absent'"),
        ("studio", "'studio' is taken by another plug-in"),
    ],
)
def test_a_broken_plug_in_is_reported_and_harms_nobody(offer: Callable[..., None], name: str, reason: str) -> None:
    """What raises, is no plug-in, takes unknown keys or a taken name is listed with a reason; the others work."""
    offer("sources", "again", name)
    offer("sinks", "box")
    found = discover()
    assert [(each.kind, each.name, each.reason) for each in found.broken] == [("sources", name, reason)]
    assert set(found.sources) == {"studio"}
    assert found.sink("box") is BOX
    assert "can't be used" in str(found.broken[0])


def test_a_configuration_that_names_a_broken_plug_in_says_why(offer: Callable[..., None], tmp_path: Path) -> None:
    """The reason of the plug-in stands beside the type that can't be used."""
    offer("sources", "open")
    file = tmp_path / "syncer.yaml"
    file.write_text("platforms: {a: {type: open}}")
    with pytest.raises(SettingsRefused, match=r"platforms\.a\.type: the plug-in .* accept unknown keys"):
        discover().settings(file, environ={})
    with pytest.raises(SettingsError, match="accept unknown keys"):
        discover().source("open")


def test_an_unknown_type_is_met_with_what_there_is(offer: Callable[..., None]) -> None:
    """Asking for a type that nobody offers names the likely one."""
    offer("sources", "studio")
    with pytest.raises(SettingsError, match="no platform type 'studoi'; did you mean 'studio'"):
        discover().source("studoi")
    with pytest.raises(SettingsError, match="no sink type 'box'; none is installed"):
        discover().sink("box")


def test_the_registry_reads_settings(tmp_path: Path) -> None:
    """Platforms and sinks of the registry are what a configuration can name; `SYNCER_CONFIG` names the file."""
    file = tmp_path / "mine.yaml"
    file.write_text("platforms: {a: {type: studio, url: 'https://h'}}\nsinks: {b: {type: box, url: x}}\n")
    known = Registry({"studio": STUDIO}, {"box": BOX})
    settings = known.settings(environ={"SYNCER_CONFIG": str(file)}, sets=["sinks.b.url=y"])
    assert settings.file == file
    assert settings.sinks["b"].options == BoxOptions(url="y")


def _job(**options: str) -> JobOptions:
    return JobOptions.model_validate({"platform": "a", "select": {"projects": ["x"]}, "sinks": ["b"], **options})


def test_a_job_without_functions_has_no_transform(tmp_path: Path) -> None:
    """Documents are stored as they are."""
    assert Registry().transform(_job(), tmp_path) is None


def test_transform_and_validation_are_chained(tmp_path: Path) -> None:
    """The validation sees what the transform returned; its own result is dropped, its refusal counts."""
    (tmp_path / "checks.py").write_text(
        "def short(body, ref):\n    if len(body) > 3:\n        raise ValueError('too long')\n    return b'ignored'\n"
    )
    known = Registry(transforms={"upper": _named(_upper)})
    chain = known.transform(_job(transform="upper", validate="checks:short"), tmp_path)
    assert chain is not None
    assert chain(b"abc", REF) == b"ABC"
    with pytest.raises(ValueError, match="too long"):
        chain(b"abcd", REF)
    assert chain.version.startswith("upper-1,validate=checks:short@")


def _named(function: Callable[[bytes, AnnotationRef], bytes]) -> Any:
    class _Named:
        version = "upper-1"

        def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
            return function(body, ref)

    return _Named()


def test_the_published_schema_is_current() -> None:
    """`config/syncer.schema.json` is what the built-in plug-ins say; `syncer config schema` writes it anew."""
    assert (ROOT / "config" / "syncer.schema.json").read_text(encoding="utf-8") == built_in().schema_text()


def test_the_example_loads_and_passes_the_schema() -> None:
    """`config/syncer.example.yaml` is a configuration that works, and an editor finds nothing wrong with it."""
    file = ROOT / "config" / "syncer.example.yaml"
    settings = built_in().settings(file, environ={})
    assert set(settings.jobs) == {"cars", "highway", "street"}
    assert [leg.name for leg in settings.jobs["highway"].legs] == ["lake", "nightly"]
    schema = built_in().schema()
    assert [each.message for each in Draft202012Validator(schema).iter_errors(yaml.safe_load(file.read_text()))] == []
    assert file.read_text().startswith("# yaml-language-server: $schema=syncer.schema.json\n")
