"""A small catalogue of platforms and sinks, and ways to load a configuration from text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syncer.net.options import PlatformOptions, SecretField
from syncer.settings import Catalog, Kind, Settings, SettingsRefused, load


class StudioOptions(PlatformOptions):
    """A platform with a required credential and an optional one."""

    token: SecretField
    password: SecretField | None = None
    keys: dict[str, SecretField] = Field(default_factory=dict)


class BoxOptions(BaseModel):
    """A sink."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    on_delete: Literal["keep", "tombstone", "delete"] = "tombstone"
    publish: str | None = None
    every: int | None = None
    notes: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_cadence(self) -> "BoxOptions":
        if self.publish is not None and self.every is not None:
            message = "publish and every exclude each other"
            raise ValueError(message)
        return self


CATALOG = Catalog(
    platforms={"studio": Kind(StudioOptions, "Studio", {"token": ("env:STUDIO_TOKEN",), "url": ("env:STUDIO_URL",)})},
    sinks={"box": Kind(BoxOptions, "Box")},
    broken={("platforms", "kognic"): "ImportError"},
)

#: A configuration without a fault; tests change a line of it.
GOOD = """\
state: sqlite:state.db
platforms:
  studio: {type: studio, url: "http://localhost:8080", token: env:STUDIO_TOKEN}
sinks:
  lake: {type: box, url: lake}
  street: {type: box, url: street}
jobs:
  highway:
    platform: studio
    select: {projects: [highway]}
    sinks: [lake]
"""


def load_text(
    folder: Path, text: str, *, sets: Sequence[str] = (), environ: Mapping[str, str] | None = None,
    add: Mapping[str, Any] | None = None, catalog: Catalog = CATALOG, seen: list[str] | None = None,
) -> Settings:  # fmt: skip
    """Write a configuration into a folder and load it; no variable of the process plays a part."""
    file = folder / "syncer.yaml"
    file.write_text(text, encoding="utf-8")
    told = [] if seen is None else seen
    return load(catalog, file, sets=sets, environ={} if environ is None else environ, add=add, seen=told.append)


def refused(folder: Path, text: str, **options: Any) -> list[str]:
    """Return the lines of the refusal of a configuration that has to be refused."""
    with pytest.raises(SettingsRefused) as caught:
        load_text(folder, text, **options)
    return str(caught.value).splitlines()
