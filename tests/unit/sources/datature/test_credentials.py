"""The vendor's file of credentials: what it gives where nothing else does, and what is said of a bad one."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.settings.secrets import first_of
from syncer.sources.datature.options import DatatureOptions
from tests.emulators.datature import KEY, DataturePlatform
from tests.support.datature_source import datature_export

GOOD = f'{{"secret_key": "{KEY}", "organization_id": "acme", "more": 1}}'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a file as the vendor's client reads it."""
    path = tmp_path / "vi.json"
    path.write_text(GOOD)
    return path


def test_both_come_from_the_file(config: Path) -> None:
    """Key and organization; the key is read when it is used, again when the file has changed, and never shown."""
    options = DatatureOptions(config_file=config)
    assert options.organization == "acme"
    assert options.token.reveal() == KEY
    assert KEY not in f"{options!r} {options.model_dump_json()}"
    config.write_text(GOOD.replace(KEY, "dtvi_another"))
    assert options.token.reveal() == "dtvi_another"


def test_what_is_given_goes_before_the_file(config: Path, tmp_path: Path) -> None:
    """As the vendor's client has it: argument, then environment, then file."""
    given = DatatureOptions(config_file=config, token=Secret.literal("own"), organization="other")
    assert (given.token.reveal(), given.organization) == ("own", "other")
    for environ, expected in (({"DATATURE_VI_SECRET_KEY": "around"}, "around"), ({}, KEY)):
        around = first_of(["env:DATATURE_VI_SECRET_KEY"], tmp_path, where="token", environ=environ)
        assert DatatureOptions(config_file=config, token=around).token.reveal() == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not the JSON"), ('{"organization_id": 7}', "not the JSON"), ("{}", "no organization_id"), (None, "read")],
)
def test_a_bad_file_is_said_at_once(config: Path, text: str | None, words: str) -> None:
    """Where the organization has to come from it, it is read when settings are; its contents are not repeated."""
    config.unlink() if text is None else config.write_text(text)
    with pytest.raises(ValidationError, match=words):
        DatatureOptions(config_file=config)


def test_a_file_without_a_key_is_said_when_the_key_is_used(config: Path) -> None:
    """Commands that need no credential work without one."""
    config.write_text('{"organization_id": "acme"}')
    with pytest.raises(SettingsError, match="holds no secret_key"):
        DatatureOptions(config_file=config).token.reveal()


def test_without_organization_and_file_both_ways_are_named() -> None:
    """The message names the option, the variable and the file."""
    with pytest.raises(ValidationError, match="`organization`, DATATURE_VI_ORGANIZATION_ID or `config_file`"):
        DatatureOptions(token=Secret.literal(KEY))


async def test_an_export_with_the_file_alone(tmp_path: Path) -> None:
    """Nothing but the address in the environment: the file has the rest."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(2, 1)
        text = GOOD.replace("acme", platform.org).replace(KEY, platform.key)
        (tmp_path / "vi.json").write_text(text)
        env = {"DATATURE_VI_API_ENDPOINT": platform.url}
        more = ("--set", "config_file=vi.json")
        ended = await datature_export(platform, tmp_path, "ds0001", "out/", *more, env=env)
        assert ended.ok().json()[0]["counts"]["stored"] == 2
        assert platform.key not in ended.out + ended.err
