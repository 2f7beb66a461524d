"""`syncer export`, `get`, `projects`: commands that name a platform, with and without a file."""

import json
import sys
import zipfile
from io import StringIO
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform, platform_named
from tests.unit.cli.conftest import Run


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """Return the assignment that names a platform of this test alone, with five items."""
    for number in range(1, 6):
        platform_named(f"{tmp_path.name}-bare").put(str(number))
    return f"platform={tmp_path.name}-bare"


def test_an_archive_in_one_line(run: Run, mine: str, tmp_path: Path) -> None:
    """`--to out.zip` writes exactly that archive, and the same line again fetches nothing."""
    line = ("export", "memory", "--project", "7", "--to", "out.zip", "--set", mine, "-o", "json")
    first = run(*line)
    assert first.code == Exit.DONE
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sum(not name.startswith("_") for name in archive.namelist()) == 5
    assert (tmp_path / "out.zip").as_uri() in first.words()
    again = run(*line).json()[0]
    assert again["job"] == first.json()[0]["job"]
    assert (again["counts"]["stored"], again["exit_code"]) == (0, 0)


def test_a_folder_in_one_line(run: Run, mine: str, tmp_path: Path) -> None:
    """`--to dir/` writes a file an item; options of the sink go by `--set sink.…`."""
    line = ("export", "memory", "--project", "7", "--to", "out/", "--set", mine, "--set", "sink.document=envelope")
    assert run(*line).code == Exit.DONE
    assert "content" in json.loads((tmp_path / "out" / "3.json").read_text())


def test_a_configured_platform(run: Run, config: Path) -> None:
    """A platform of the file brings its options; its jobs are left alone."""
    del config
    ended = run("export", "mem", "--project", "7", "--to", "out/", "-o", "json")
    assert [report["counts"]["stored"] for report in ended.json()] == [5]


def test_items_by_id(run: Run, mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--item and --ids-from select single items, from a file or from standard input."""
    (tmp_path / "ids").write_text("2\n\n 3 \n2\n")
    line = ("export", "memory", "--project", "7", "--set", mine, "-o", "json")
    ended = run(*line, "--to", "a/", "--item", "1", "--ids-from", "ids")
    assert ended.json()[0]["counts"]["stored"] == 3
    monkeypatch.setattr(sys, "stdin", StringIO("4\n"))
    assert run(*line, "--to", "b/", "--ids-from", "-").json()[0]["counts"]["stored"] == 1
    assert run(*line, "--to", "b/", "--ids-from", "nowhere").code == Exit.USAGE


def test_dry_run_of_an_export(run: Run, mine: str, tmp_path: Path) -> None:
    """-n says what would be done and writes nothing."""
    ended = run("export", "memory", "--project", "7", "--to", "out/", "--set", mine, "-n", "-o", "json")
    assert next(iter(ended.json()[0]["legs"].values()))["new"] == 5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("memory", "--to", "x/"), Exit.USAGE, "syncer projects memory"),
        (("memoy", "--to", "x/"), Exit.USAGE, "no platform 'memoy'; did you mean 'memory'?"),
        (("memroy", "--to", "x/", "--project", "7"), Exit.USAGE, "did you mean 'memory'"),
        (("memory", "--to", "x.tar", "--project", "7"), Exit.USAGE, "only .zip, .jsonl"),
        (("memory", "--to", "s3:bucket/x", "--project", "7"), Exit.SETTINGS, "names no bucket"),
        (("memory", "--to", "x/", "--project", "7", "--set", "itmes=3"), Exit.SETTINGS, "did you mean 'items'"),
        (("memory", "--to", "x/", "--project", "7", "--set", "items"), Exit.SETTINGS, "expected KEY=VALUE"),
        (("memory", "--to", "x/", "--project", "9"), Exit.SETTINGS, "9"),
        (("label_studio", "--to", "x/", "--project", "7"), Exit.SETTINGS, "LABEL_STUDIO_API_KEY"),
        (("label_studio", "--to", "x/", "--project", "7"), Exit.SETTINGS, "--set token="),
        (("memory", "--to", "x/", "--project", "7", "-c", "gone.yaml"), Exit.SETTINGS, "gone.yaml"),
    ],
)
def test_rule_21_what_is_wrong_with_an_export(run: Run, words: tuple[str, ...], code: Exit, said: str) -> None:
    """Each mistake has its code, and the message says what to write instead."""
    ended = run("export", *words)
    assert ended.code == code
    assert said in ended.words()


def test_get_prints_the_bytes(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """A document goes to standard output as it is served, with nothing after it."""
    del config
    body = b'{"a": 1.10,\n "b": "\xc3\xa9"}'
    platform.put("8", body)
    ended = run("get", "mem", "7", "8")
    assert (ended.code, ended.out.encode()) == (Exit.DONE, body)


def test_get_spells_out_what_a_terminal_would_obey(
    run: Run, config: Path, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal control characters of the document are spelt out, and its lines stay."""
    del config
    platform.put("8", b'{"a":\n"\x1b[2J\xff"}')
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run("get", "mem", "7", "8").out == '{"a":\n"\\x1b[2J\\xff"}\n'


def test_get_without_a_name_says_what_is_needed(run: Run, config: Path) -> None:
    """The parts of a document's name are those of the platform."""
    del config
    ended = run("get", "mem")
    assert (ended.code, "syncer get mem PROJECT ITEM" in ended.err) == (Exit.USAGE, True)
    assert run("get", "mem", "7", "99").code == Exit.SETTINGS


def test_listings_of_a_platform(run: Run, config: Path) -> None:
    """`platforms` asks nobody, `projects` and `batches` ask the platform, by name or by type."""
    del config
    rows = run("platforms", "-o", "json").json()
    assert ("mem", "memory") in [(row["name"], row["type"]) for row in rows]
    assert (None, "label_studio") in [(row["name"], row["type"]) for row in rows]
    assert [row["id"] for row in run("projects", "memory", "-o", "json").json()] == ["7"]
    assert run("batches", "mem", "7").code == Exit.DONE
    assert run("projects", "nothing").code == Exit.USAGE


def test_a_first_try_that_failed_binds_nobody(run: Run, config: Path) -> None:
    """After an unknown project, another selection may have another layout; once something was listed it may not."""
    del config
    assert run("export", "mem", "--project", "nope", "--to", "out/").code == Exit.SETTINGS
    assert run("export", "mem", "--project", "*", "--to", "out/").code == Exit.DONE
    assert "--relayout" in run("export", "mem", "--project", "7", "--to", "out/").words()
