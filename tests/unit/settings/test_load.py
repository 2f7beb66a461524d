"""Loading: where the file is, what overrides it, and every way in which it can be wrong."""

from pathlib import Path
from typing import Any

import pytest

from syncer.model.errors import Exit, SettingsError
from syncer.settings import SettingsRefused, find, load
from tests.support.configuration import CATALOG, GOOD, BoxOptions, StudioOptions, load_text, refused


def test_a_good_configuration(tmp_path: Path) -> None:
    """Everything that a job refers to is there, validated by its plug-in."""
    settings = load_text(tmp_path, GOOD, environ={"STUDIO_TOKEN": "t0ken-value"})
    job = settings.jobs["highway"]
    assert isinstance(job.platform.options, StudioOptions)
    assert job.platform.options.token.reveal() == "t0ken-value"
    assert [leg.name for leg in job.legs] == ["lake"]
    assert job.options.select.selection().projects == ("highway",)
    assert settings.base == tmp_path
    assert settings.state == f"sqlite:{tmp_path}/state.db"
    assert settings.state_file == tmp_path / "state.db"
    assert settings.warnings == ()


def test_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-c` wins over SYNCER_CONFIG, which wins over ./syncer.yaml; with none of them there is no file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert find(None, {}) is None
    (tmp_path / "syncer.yaml").touch()
    assert find(None, {}) == Path("syncer.yaml")
    assert find(None, {"SYNCER_CONFIG": "~/other.yaml"}) == Path("/home/me/other.yaml")
    assert find("mine.yaml", {"SYNCER_CONFIG": "~/other.yaml"}) == Path("mine.yaml")


def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    """A file that was asked for by name and is not there is a settings error."""
    with pytest.raises(SettingsError, match="can't read the configuration") as caught:
        load(CATALOG, tmp_path / "absent.yaml", environ={})
    assert caught.value.exit_code is Exit.SETTINGS


def test_without_a_file_everything_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command without a file lays its own entries and overrides over nothing; paths count from the working folder."""
    monkeypatch.chdir(tmp_path)
    settings = load(
        CATALOG,
        None,
        add={
            "platforms": {"studio": {"type": "studio"}},
            "sinks": {"to": {"type": "box", "url": "out.zip"}},
            "jobs": {"export": {"platform": "studio", "select": {"projects": ["7"]}, "sinks": ["to"]}},
        },
        sets=["platforms.studio.url=http://localhost:1", "platforms.studio.limits.concurrency=3"],
        environ={"XDG_STATE_HOME": "/var/state", "STUDIO_TOKEN": "x"},
    )
    options = settings.jobs["export"].platform.options
    assert isinstance(options, StudioOptions)
    assert (options.url, options.limits.concurrency) == ("http://localhost:1", 3)
    assert settings.base == tmp_path
    assert settings.state == "sqlite:/var/state/syncer/state.db"


def test_added_entries_join_those_of_the_file(tmp_path: Path) -> None:
    """An entry that a command adds stands beside the file's and replaces one of its name."""
    add = {"sinks": {"lake": {"type": "box", "url": "new"}, "to": {"type": "box", "url": "out"}}}
    settings = load_text(tmp_path, GOOD, add=add)
    assert {name: sink.options.model_dump()["url"] for name, sink in settings.sinks.items()} == {
        "lake": "new",
        "street": "street",
        "to": "out",
    }


def test_the_default_state_lies_below_the_xdg_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `state`, XDG_STATE_HOME or ~/.local/state holds it."""
    monkeypatch.setenv("HOME", "/home/me")
    text = GOOD.replace("state: sqlite:state.db\n", "")
    assert load_text(tmp_path, text).state == "sqlite:/home/me/.local/state/syncer/state.db"
    assert load_text(tmp_path, text, environ={"XDG_STATE_HOME": "/x"}).state == "sqlite:/x/syncer/state.db"
    assert load_text(tmp_path, GOOD.replace("sqlite:state.db", "memory")).state_file is None


def test_set_wins_over_variables_and_they_win_over_the_file(tmp_path: Path) -> None:
    """The nearer to the user's fingers, the stronger."""
    environ = {"SYNCER__SINKS__LAKE__URL": "from-variable", "SYNCER__SINKS__STREET__URL": "from-variable"}
    settings = load_text(tmp_path, GOOD, environ=environ, sets=["sinks.street.url=from-set"])
    urls = {name: sink.options.model_dump()["url"] for name, sink in settings.sinks.items()}
    assert urls == {"lake": "from-variable", "street": "from-set"}


def test_texts_are_interpolated(tmp_path: Path) -> None:
    """`${NAME}` works in options of platforms, sinks and jobs, and in the state."""
    text = (
        GOOD.replace("sqlite:state.db", "sqlite:${DIR:-here}/state.db")
        .replace("http://localhost:8080", "${HOST}:8080")
        .replace("[highway]", "['${PROJECT}']")
        .replace("url: lake", "url: '${BUCKET:-lake}', notes: {a: '${PROJECT}'}")
    )
    settings = load_text(tmp_path, text, environ={"HOST": "https://h", "PROJECT": "7", "STUDIO_TOKEN": "x"})
    job = settings.jobs["highway"]
    assert job.options.select.projects == ("7",)
    assert job.platform.options.model_dump()["url"] == "https://h:8080"
    assert job.legs[0].options == BoxOptions(url="lake", notes={"a": "7"})
    assert settings.state == f"sqlite:{tmp_path}/here/state.db"


def test_a_missing_variable_is_named_with_its_place(tmp_path: Path) -> None:
    """The message names path and variable, the hint how to give a default."""
    lines = refused(tmp_path, GOOD.replace("url: lake", "url: '${BUCKET}'"))
    assert lines == ["sinks.lake.url: environment variable BUCKET is not set (syncer.yaml, line 5)"]


def test_rule_24_credentials_are_not_interpolated(tmp_path: Path) -> None:
    """`${NAME}` in a credential is refused with a pointer to `env:NAME`: it would end up in the open."""
    with pytest.raises(SettingsRefused) as caught:
        load_text(
            tmp_path, GOOD.replace("env:STUDIO_TOKEN", "'${STUDIO_TOKEN}'"), environ={"STUDIO_TOKEN": "v4lue-v4lue"}
        )
    assert "platforms.studio.token: ${…} is not replaced in a credential" in str(caught.value)
    assert caught.value.hint == "write env:NAME instead"
    assert "v4lue" not in str(caught.value)


def test_rule_24_secrets_are_read_only_when_they_are_used(tmp_path: Path) -> None:
    """Loading reads no credential; asking for them names every one that is missing, with a hint."""
    text = GOOD.replace("token: env:STUDIO_TOKEN", "token: env:STUDIO_TOKEN, password: file:absent")
    heard: list[str] = []
    settings = load_text(tmp_path, text, seen=heard)
    assert heard == []
    with pytest.raises(SettingsRefused) as caught:
        settings.platforms["studio"].require_secrets()
    assert str(caught.value).splitlines() == [
        "platforms.studio.token: environment variable STUDIO_TOKEN is not set",
        f"platforms.studio.password: can't read {tmp_path}/absent: No such file or directory",
    ]
    assert "or give platforms.studio.token as env:NAME" in str(caught.value.hint)


def test_rule_24_secrets_inside_containers_are_found(tmp_path: Path) -> None:
    """A mapping of credentials is resolved value by value, below its dotted path."""
    text = GOOD.replace("token: env:STUDIO_TOKEN", "token: x-x-x-x, keys: {a: env:A, b: 'literal-value'}")
    settings = load_text(tmp_path, text, environ={"A": "from-a"})
    options = settings.platforms["studio"].options
    assert isinstance(options, StudioOptions)
    assert {name: secret.reveal() for name, secret in options.keys.items()} == {"a": "from-a", "b": "literal-value"}


def test_the_vendors_variables_are_the_defaults(tmp_path: Path) -> None:
    """An absent option is taken from the variables that the plug-in names; a credential only when it is used."""
    text = GOOD.replace(', url: "http://localhost:8080", token: env:STUDIO_TOKEN', "")
    settings = load_text(
        tmp_path, text, environ={"STUDIO_URL": "https://studio.example", "STUDIO_TOKEN": "t0ken-value"}
    )
    options = settings.platforms["studio"].options
    assert isinstance(options, StudioOptions)
    assert options.url == "https://studio.example"
    assert options.token.reveal() == "t0ken-value"
    later = load_text(tmp_path, text, environ={"STUDIO_URL": "https://studio.example"})
    with pytest.raises(SettingsRefused, match="variable STUDIO_TOKEN is not set"):
        later.platforms["studio"].require_secrets()
    lines = refused(tmp_path, text)
    assert lines == ["platforms.studio.url: is required (or env:STUDIO_URL) (syncer.yaml, line 3)"]


def test_relative_files_of_options_count_from_the_configuration(tmp_path: Path) -> None:
    """An option that is a path is absolute after loading."""
    text = GOOD.replace("token: env:STUDIO_TOKEN", "token: env:STUDIO_TOKEN, ca_file: certs/ca.pem")
    options = load_text(tmp_path, text).platforms["studio"].options
    assert isinstance(options, StudioOptions)
    assert options.ca_file == tmp_path / "certs" / "ca.pem"


def test_an_exposed_credential_file_is_a_warning(tmp_path: Path) -> None:
    """It is said once, with the option; loading goes on."""
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o644)
    settings = load_text(tmp_path, GOOD.replace("env:STUDIO_TOKEN", "file:token"))
    assert settings.warnings == (
        f"platforms.studio.token: {tmp_path}/token holds a credential and other users can read it; chmod 600 it",
    )


def test_a_job_changes_options_of_its_sinks_and_limits_of_its_platform(tmp_path: Path) -> None:
    """Overrides reach this job only."""
    text = GOOD.replace(
        "sinks: [lake]", 'sinks: [{lake: {publish: "0 3 * * *"}}, street]\n    limits: {concurrency: 2}'
    )
    settings = load_text(tmp_path, text)
    job = settings.jobs["highway"]
    assert job.legs[0].options == BoxOptions(url="lake", publish="0 3 * * *")
    assert settings.sinks["lake"].options == BoxOptions(url="lake")
    assert isinstance(job.platform.options, StudioOptions)
    assert job.platform.options.limits.concurrency == 2
    plain = settings.platforms["studio"].options
    assert isinstance(plain, StudioOptions)
    assert plain.limits.concurrency is None


def test_extension_keys_hold_anchors(tmp_path: Path) -> None:
    """Top-level keys that start with `x-` are the user's own."""
    text = "x-box: &box {type: box, url: a}\n" + GOOD.replace("{type: box, url: lake}", "{<<: *box, url: lake}")
    assert load_text(tmp_path, text).sinks["lake"].options == BoxOptions(url="lake")


def test_all_problems_are_listed_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Whatever is wrong anywhere is in one refusal, with path and line."""
    text = """\
platfroms: {}
platforms:
  studio: {type: studio, url: "http://localhost", tokn: x}
  old: {type: kognic}
sinks:
  lake: {type: box, url: [1], on_delete: drop}
jobs:
  highway: {platform: studo, selct: {}, sinks: [lak]}
"""
    assert refused(tmp_path, text) == [
        "platfroms: unknown key; did you mean 'platforms'? (syncer.yaml, line 1)",
        "platforms.studio.tokn: unknown key; did you mean 'token'? (syncer.yaml, line 3)",
        "platforms.old.type: the plug-in of platform type 'kognic' can't be used: ImportError (syncer.yaml, line 4)",
        "sinks.lake.url: expected text, got a list (syncer.yaml, line 6)",
        "sinks.lake.on_delete: expected 'keep', 'tombstone' or 'delete', got 'drop' (syncer.yaml, line 6)",
        "jobs.highway.select: is required (syncer.yaml, line 8)",
        "jobs.highway.selct: unknown key; did you mean 'select'? (syncer.yaml, line 8)",
        "jobs.highway.platform: no platform 'studo'; did you mean 'studio'? (syncer.yaml, line 8)",
        "jobs.highway.sinks.0: no sink 'lak'; did you mean 'lake'? (syncer.yaml, line 8)",
    ]


def test_a_fault_from_an_override_names_no_line(tmp_path: Path) -> None:
    """The file is not to blame for what a variable or --set says."""
    lines = refused(tmp_path, GOOD, sets=["sinks.lake.on_delete=drop"])
    assert lines == ["sinks.lake.on_delete: expected 'keep', 'tombstone' or 'delete', got 'drop'"]


def test_the_whole_contract_of_a_job(tmp_path: Path) -> None:
    """Every option of a job is read, durations and sizes in their units."""
    extra: dict[str, Any] = {
        "schedule.cron": "0 2 * * *", "schedule.timezone": "Europe/Stockholm", "schedule.jitter": "5m",
        "transform": "mymodule:function", "validate": "checks", "commit.items": 100, "commit.bytes": "2MiB",
        "commit.interval": "500ms", "full_every": "7d", "select.batches": "2026-*", "select.since": "2026-01-01",
        "select.items": "[1, a]",
    }  # fmt: skip
    settings = load_text(tmp_path, GOOD, sets=[f"jobs.highway.{key}={value}" for key, value in extra.items()])
    job = settings.jobs["highway"].options
    assert job.schedule is not None
    assert (job.schedule.cron, job.schedule.timezone, job.schedule.jitter) == ("0 2 * * *", "Europe/Stockholm", 300)
    assert (job.transform, job.validator) == ("mymodule:function", "checks")
    assert (job.commit.items, job.commit.bytes, job.commit.interval) == (100, 2 * 2**20, 0.5)
    assert job.full_every == 7 * 86400
    selection = job.select.selection()
    assert (selection.batches, selection.items) == (("2026-*",), ("1", "a"))
    assert str(selection.since) == "2026-01-01 00:00:00+00:00"
