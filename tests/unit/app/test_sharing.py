"""Which processes share limits: workers of a fleet, and whoever is asked to."""

from pathlib import Path

import pytest
import yaml

from syncer.app.library import open_syncer
from syncer.model.errors import SettingsError
from tests.support.postgres import Postgres


def prepare(folder: Path, state: str, shared: str) -> Path:
    """Write a configuration with one platform; return its path."""
    platform = {"type": "label_studio", "url": "http://127.0.0.1:1", "token": "t", "limits": {"shared": shared}}
    file = folder / "syncer.yaml"
    file.write_text(yaml.safe_dump({"state": state, "platforms": {"studio": platform}}))
    return file


@pytest.mark.parametrize(("wish", "fleet", "expected"), [
    ("auto", False, False), ("auto", True, True), ("always", False, True), ("never", True, False),
])  # fmt: skip
async def test_who_shares(tmp_path: Path, postgres_server: Postgres, wish: str, fleet: bool, expected: bool) -> None:
    """A worker unless told not to, any other process if told to; the account is the platform's name."""
    with postgres_server.schema() as schema:
        async with open_syncer(prepare(tmp_path, postgres_server.url(schema), wish), fleet=fleet) as syncer:
            assert (syncer.assembly.quotas is not None) is expected


async def test_without_a_server_nothing_can_be_shared(tmp_path: Path) -> None:
    """It is said before anything runs; for a worker by itself, who can't work without one anyway."""
    with pytest.raises(SettingsError, match=r"platforms\.studio\.limits\.shared") as caught:
        async with open_syncer(prepare(tmp_path, "sqlite:state.db", "always")):
            pass
    assert "postgresql://" in (caught.value.hint or "")
    async with open_syncer(prepare(tmp_path, "sqlite:state.db", "auto"), fleet=True) as syncer:
        assert syncer.assembly.quotas is None
