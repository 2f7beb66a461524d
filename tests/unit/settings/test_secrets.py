"""References to credentials."""

import os
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from syncer.model.errors import Exit, SettingsError
from syncer.model.secret import Secret
from syncer.net.redact import redact_text
from syncer.settings.secrets import MAX_SECRET, available, exposed, first_of, resolve


def test_rule_24_an_environment_variable_is_read_when_it_is_used(tmp_path: Path) -> None:
    """`env:NAME` is read at each use, so a variable that is set later counts."""
    environ: dict[str, str] = {}
    secret = resolve("env:TOKEN", tmp_path, environ=environ)
    environ["TOKEN"] = " first "
    assert secret.reveal() == "first"
    environ["TOKEN"] = "second"
    assert secret.reveal() == "second"


def test_rule_24_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """`file:PATH` follows a file that is rewritten in place, and one that is replaced by another."""
    file = tmp_path / "token"
    file.write_text("first\n")
    secret = resolve("file:token", tmp_path)
    assert secret.reveal() == "first"
    file.write_text("other\n")
    os.utime(file, ns=(1, 1))
    assert secret.reveal() == "other"
    fresh = tmp_path / "fresh"
    fresh.write_text("third\n")
    os.utime(fresh, ns=(1, 1))
    fresh.replace(file)
    assert secret.reveal() == "third"


def test_rule_24_a_file_that_did_not_change_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revealing an unchanged file costs a stat, not a read."""
    file = tmp_path / "token"
    file.write_text("value")
    secret = resolve("file:token", tmp_path)
    secret.reveal()
    monkeypatch.setattr(Path, "open", None)
    assert secret.reveal() == "value"


def test_rule_24_the_keyring_is_asked_for_service_and_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`keyring:SERVICE/USER` splits at the last slash and asks the keyring package."""
    _fake_keyring(monkeypatch, {("https://studio/api", "me"): "value"})
    assert resolve("keyring:https://studio/api/me", tmp_path).reveal() == "value"


def test_rule_24_a_missing_keyring_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional package the message says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match="optional package") as caught:
        resolve("keyring:a/b", tmp_path, where="platforms.studio.token").reveal()
    assert str(caught.value).startswith("platforms.studio.token: ")
    assert caught.value.hint == "pip install 'annotation-syncer[keyring]'"


def test_an_unknown_or_locked_keyring_entry_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is not there, and a keyring that fails, are settings errors."""
    _fake_keyring(monkeypatch, {})
    with pytest.raises(SettingsError, match="holds nothing for user 'b' of 'a'"):
        resolve("keyring:a/b", tmp_path).reveal()
    with pytest.raises(SettingsError, match="did not answer: KeyringError"):
        resolve("keyring:locked/b", tmp_path).reveal()


def test_anything_else_is_the_credential_itself(tmp_path: Path) -> None:
    """A text without a known scheme is taken as it is, colons and all."""
    assert resolve("abc:def", tmp_path).reveal() == "abc:def"
    assert resolve("0123", tmp_path).reveal() == "0123"


def test_relative_files_count_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path counts from the folder given, `~` is the home folder, absolute paths stay."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for place in (tmp_path / "base" / "a", tmp_path / "home" / "b", tmp_path / "c"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(place.name)
    base = tmp_path / "base"
    assert resolve("file:a", base).reveal() == "a"
    assert resolve("file:~/b", base).reveal() == "b"
    assert resolve(f"file:{tmp_path}/c", base).reveal() == "c"
    assert resolve(f"file://{tmp_path}/c", base).reveal() == "c"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NOT_SET", "platforms.studio.token: environment variable NOT_SET is not set"),
        ("env:EMPTY", "environment variable EMPTY: it is set, and empty"),
        ("file:absent", "can't read .*absent: No such file or directory"),
        ("file:empty", "empty: the file is empty"),
        ("file:binary", "is not text"),
        ("file:huge", "too large for a credential"),
        ("file:.", "can't read"),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path: Path, reference: str, words: str) -> None:
    """Each way in which a reference can fail names the option, the reference and nothing of the value."""
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_SECRET + 1))
    secret = resolve(reference, tmp_path, where="platforms.studio.token", environ={"EMPTY": " "})
    with pytest.raises(SettingsError, match=words) as caught:
        secret.reveal()
    assert str(caught.value).startswith("platforms.studio.token: ")
    assert caught.value.exit_code is Exit.SETTINGS


@pytest.mark.parametrize(
    "reference", ["env:", "file: ", "keyring:", "keyring:service", "keyring:/user", "keyring:a/", " "]
)
def test_malformed_references_are_refused_at_once(tmp_path: Path, reference: str) -> None:
    """A reference that names nothing is refused where it stands, before anything is read."""
    with pytest.raises(SettingsError, match=r"^sinks\.lake\.key: "):
        resolve(reference, tmp_path, where="sinks.lake.key")


def test_rule_24_a_secret_never_shows_itself(tmp_path: Path) -> None:
    """Neither `repr`, formatting nor pickling shows a value; its origin is what is shown."""
    secret = resolve("hunter2-hunter2", tmp_path)
    assert "hunter2" not in f"{secret} {secret!r}"
    assert str(resolve("env:TOKEN", tmp_path)) == "Secret(env:TOKEN)"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


def test_rule_24_a_value_that_was_read_is_masked_from_then_on(tmp_path: Path) -> None:
    """By default every revealed value is registered with the redaction of logs and errors."""
    assert "unmistakable-value" in redact_text("saw unmistakable-value")
    resolve("unmistakable-value", tmp_path).reveal()
    assert "unmistakable-value" not in redact_text("saw unmistakable-value")


def test_the_first_reference_that_is_there_counts(tmp_path: Path) -> None:
    """Of several default references the first available one is read, and it is chosen at each reading."""
    environ = {"B": "from-b"}
    secret = first_of(("env:A", "env:B", "file:c"), tmp_path, where="token", environ=environ)
    assert secret.reveal() == "from-b"
    environ["A"] = "from-a"
    assert secret.reveal() == "from-a"
    environ.clear()
    with pytest.raises(SettingsError, match="token: not given, and none of env:A, env:B, file:c is there"):
        secret.reveal()
    (tmp_path / "c").write_text("from-c")
    assert secret.reveal() == "from-c"


def test_availability_reads_nothing(tmp_path: Path) -> None:
    """A variable is available when it is set and not blank, a file when it exists, a keyring is not asked."""
    (tmp_path / "there").write_text("x")
    environ = {"SET": "x", "BLANK": " "}
    found = {
        reference: available(reference, tmp_path, environ)
        for reference in ("env:SET", "env:BLANK", "env:NONE", "file:there", "file:absent", "keyring:a/b", "literal")
    }
    assert [name for name, there in found.items() if there] == ["env:SET", "file:there", "literal"]


def test_a_file_that_others_can_read_is_worth_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable by others and ours to change: warned; private, foreign, read-only mounted or absent: not."""
    file = tmp_path / "token"
    file.write_text("x")
    file.chmod(0o644)
    assert "chmod 600" in (exposed("file:token", tmp_path) or "")
    file.chmod(0o600)
    assert exposed("file:token", tmp_path) is None
    file.chmod(0o644)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_RDONLY))
        assert exposed("file:token", tmp_path) is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert exposed("file:token", tmp_path) is None
    assert exposed("file:absent", tmp_path) is None
    assert exposed("env:TOKEN", tmp_path) is None


def test_a_reader_can_be_listened_to(tmp_path: Path) -> None:
    """`seen` hears each value that is read, so that it can be masked."""
    heard: list[str] = []
    secret: Secret = resolve("literal-value", tmp_path, seen=heard.append)
    assert heard == []
    secret.reveal()
    assert heard == ["literal-value"]


def _fake_keyring(monkeypatch: pytest.MonkeyPatch, entries: dict[tuple[str, str], str]) -> None:
    errors = ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]  # a double
    keyring = ModuleType("keyring")

    def get_password(service: str, user: str) -> str | None:
        if service == "locked":
            raise errors.KeyringError
        return entries.get((service, user))

    keyring.get_password = get_password  # type: ignore[attr-defined]  # a double
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
