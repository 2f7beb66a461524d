"""The JSON Schema of the file."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own
from pydantic import BaseModel, ConfigDict

from syncer.model.secret import Secret
from syncer.settings import Catalog, Kind, json_schema
from tests.support.configuration import CATALOG, GOOD, BoxOptions, load_text


class _OtherOptions(BaseModel):
    """A platform that holds a credential without the shared field type."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    type: str
    key: Secret
    title: str = ""


SEVERAL = Catalog(
    platforms={**CATALOG.platforms, "other": Kind(_OtherOptions)},
    sinks={**CATALOG.sinks, "crate": Kind(BoxOptions)},
)


def _errors(catalog: Catalog, tree: Any) -> list[str]:
    schema = json_schema(catalog)
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(tree)]


@pytest.mark.parametrize("catalog", [CATALOG, SEVERAL], ids=["one type", "several types"])
def test_a_good_configuration_passes(catalog: Catalog) -> None:
    """What loads also validates in an editor, with one type of platform or several."""
    assert _errors(catalog, yaml.safe_load(GOOD)) == []


def test_the_whole_contract_passes(tmp_path: Path) -> None:
    """Durations, sizes, globs, overrides and credentials are written as they are read."""
    text = """
x-anything: {a: 1}
state: sqlite:state.db
memory: 256MiB
spool: scratch
log: {format: json, level: debug}
platforms:
  studio: {type: studio, url: "https://h", token: file:/run/secrets/token, limits: {concurrency: 3}}
sinks:
  lake: {type: box, url: lake}
jobs:
  a:
    platform: studio
    select: {projects: [7, "x-*"], batches: "*", since: 2026-01-31, until: "2026-02-01T00:00:00Z"}
    sinks: [{lake: {publish: "0 3 * * *"}}]
    schedule: {every: 1h30m, jitter: 30}
    commit: {items: 5, bytes: 1MB, interval: 1.5s}
    full_every: 7d
    validate: module:function
  b: {platform: studio, select: {items: [1]}, sinks: [lake], schedule: {once: true}}
"""
    load_text(tmp_path, text)
    plain: Any = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # texts only, as an editor's core schema reads dates
    plain["x-anything"] = 1
    plain["platforms"]["studio"]["limits"]["concurrency"] = 3
    plain["jobs"]["a"]["commit"]["items"] = 5
    plain["jobs"]["b"]["schedule"]["once"] = True
    assert _errors(SEVERAL, plain) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("state:", "stat:"),
        ("type: studio", "type: nothing"),
        ("type: box, url: lake", "type: box, url: lake, colour: red"),
        ("platform: studio", "platfrom: studio"),
        ("sinks: [lake]", "sinks: []"),
        ("sinks: [lake]", "sinks: [lake]\n    schedule: {every: fast}"),
        ("  highway:", "  'high way':"),
    ],
)
def test_what_does_not_load_does_not_pass(old: str, new: str) -> None:
    """An editor underlines misspelt keys, unknown types and bad values."""
    assert _errors(SEVERAL, yaml.safe_load(GOOD.replace(old, new, 1)))


def test_options_from_the_environment_need_not_stand_in_the_file() -> None:
    """What a plug-in finds in the vendor's variables is not required by the schema; the rest is."""
    definition = json_schema(CATALOG)["$defs"]["StudioPlatform"]
    assert "token" in definition["properties"]
    assert definition["required"] == ["type"]
    assert json_schema(CATALOG)["$defs"]["BoxSink"]["required"] == ["url", "type"]


def test_credentials_are_texts() -> None:
    """Whatever type a plug-in gives its credential, the schema asks for the text of a reference."""
    definitions = json_schema(SEVERAL)["$defs"]
    assert definitions["OtherPlatform"]["properties"]["key"]["type"] == "string"
    assert definitions["StudioPlatform"]["properties"]["token"]["type"] == "string"


def test_the_same_catalogue_gives_the_same_schema() -> None:
    """Two writings of one schema are equal to the byte, in any order of registration."""
    turned = Catalog(
        {name: SEVERAL.platforms[name] for name in reversed(list(SEVERAL.platforms))},
        {name: SEVERAL.sinks[name] for name in reversed(list(SEVERAL.sinks))},
    )
    assert json.dumps(json_schema(SEVERAL)) == json.dumps(json_schema(turned))


def test_an_empty_catalogue_has_a_schema() -> None:
    """Without plug-ins the shape of jobs is still published."""
    assert _errors(Catalog(), {"jobs": {"a": {"platform": "x", "select": {"projects": ["y"]}, "sinks": ["z"]}}}) == []
