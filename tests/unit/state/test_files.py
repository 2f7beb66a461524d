"""Where state lies, and who may read it."""

import os
import stat
from pathlib import Path

import pytest

from syncer.model.errors import SettingsError
from syncer.state.files import locate, make_folder, prepare


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("state.db", "/base/state.db"),
        ("a/../b/state.db", "/base/b/state.db"),
        ("/var/state.db", "/var/state.db"),
        ("///var/state.db", "/var/state.db"),
    ],
)
def test_relative_paths_count_from_the_base(text: str, path: str) -> None:
    """And absolute ones are absolute, with one slash or with three."""
    assert locate(text, Path("/base")) == Path(path)


def test_a_tilde_is_the_home_folder() -> None:
    """As in a shell."""
    assert locate("~/state.db", Path("/base")) == Path.home() / "state.db"


@pytest.mark.parametrize("text", ["", " ", "//host/state.db"])
def test_what_names_no_file_is_refused(text: str) -> None:
    """With an example of what does."""
    with pytest.raises(SettingsError) as caught:
        locate(text, Path("/base"))
    assert "sqlite:state.db" in (caught.value.hint or "")


def test_new_files_and_folders_are_private_rule_24(tmp_path: Path) -> None:
    """0600 and 0700, and parents that existed keep their mode."""
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b" / "state.db"
    previous = os.umask(0)
    try:
        prepare(path)
    finally:
        os.umask(previous)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (tmp_path, path.parent.parent, path.parent, path)] == [
        0o755, 0o700, 0o700, 0o600,
    ]  # fmt: skip


def test_an_open_file_is_closed_to_others_rule_24(tmp_path: Path) -> None:
    """A file that others could read becomes private; its content stays."""
    path = tmp_path / "state.db"
    path.write_bytes(b"x")
    path.chmod(0o644)
    prepare(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"x"


def test_a_place_that_takes_no_file_is_named(tmp_path: Path) -> None:
    """A folder in the way, or a file where a folder should be: a sentence, not a traceback."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "file" / "state.db"):
        with pytest.raises(SettingsError, match=str(path)):
            prepare(path)


def test_making_a_folder_twice_is_fine(tmp_path: Path) -> None:
    """It is there afterwards."""
    make_folder(tmp_path / "x")
    make_folder(tmp_path / "x")
    assert (tmp_path / "x").is_dir()
