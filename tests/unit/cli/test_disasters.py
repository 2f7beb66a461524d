"""«When something is lost» in the README, followed to the letter: each line is done, and what it says holds.

With a state in a file and in PostgreSQL, with objects and archives side by side.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncer.app.reading import read
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.support import readme
from tests.support.postgres import Postgres
from tests.unit.cli.conftest import Run

#: A command of the second column, and the exit code that stands behind it.
_COMMAND = re.compile(r"`syncer ([^`]+)`(?: \((\d+)\))?")


def lines() -> dict[str, tuple[str, str]]:
    """Return what to do, and what is said to happen, by what was lost."""
    section = readme.text().partition("## When something is lost")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {lost: (do, happens) for lost, do, happens in rows[2:]}


@dataclass
class Desk:
    """A job that stores to a folder and to archives, and copies of all of it."""

    run: Run
    folder: Path
    platform: MemoryPlatform
    #: Forgets the whole state, as a lost disk does.
    forget: Callable[[], None]

    def keep(self) -> None:
        """Copy the state as the README says, and the destinations."""
        if (self.folder / "state.db").exists():
            assert self.run("state", "export", self.folder / "copy.db").code == Exit.DONE
        else:
            copied = self.run("state", "copy", "env:TEST_STATE", f"sqlite:{self.folder}/copy.db")
            assert copied.code == Exit.DONE, copied.err
        shutil.copytree(self.folder / "out", self.folder / "copy")

    def restore_state(self) -> None:
        """Bring the copy of the state back."""
        if (self.folder / "state.db").exists():
            assert self.run("state", "import", self.folder / "copy.db", "--yes").code == Exit.DONE
            return
        self.forget()
        assert self.run("state", "copy", f"sqlite:{self.folder}/copy.db", "env:TEST_STATE").code == Exit.DONE

    def lose_destination(self) -> None:
        """Empty both destinations."""
        shutil.rmtree(self.folder / "out")

    def restore_destination(self) -> None:
        """Bring the copy of both destinations back, with the times that archives are known by."""
        self.lose_destination()
        shutil.copytree(self.folder / "copy", self.folder / "out")

    def happen(self, lost: str) -> None:
        """Let it happen."""
        if "state" in lost or "both" in lost:
            (self.restore_state if "older" in lost else self.forget)()
        if "destination" in lost or "both" in lost:
            (self.restore_destination if "older" in lost else self.lose_destination)()


@pytest.fixture(params=["file", "postgres"])
def desk(
    request: pytest.FixtureRequest, run: Run, tmp_path: Path, platform: MemoryPlatform,
    monkeypatch: pytest.MonkeyPatch, postgres_server: Postgres,
) -> Iterator[Desk]:  # fmt: skip
    """Return a desk whose job ran, was copied, and ran again after a day of work."""
    with postgres_server.schema() as schema:
        state = "sqlite:state.db" if request.param == "file" else "env:TEST_STATE"
        monkeypatch.setenv("TEST_STATE", postgres_server.url(schema))
        (tmp_path / "syncer.yaml").write_text(
            f"state: {state}\nplatforms: {{mem: {{type: memory, platform: {tmp_path.name}}}}}\n"
            'sinks:\n  lake: {type: prefix, url: "file:out/lake"}\n  box: {type: zip, url: "file:out/box"}\n'
            'jobs: {street: {platform: mem, select: {projects: ["7"]}, sinks: [lake, box]}}\n'
        )

        def forget() -> None:
            for file in tmp_path.glob("state.db*"):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
            with postgres_server.connect() as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')

        made = Desk(run, tmp_path, platform, forget)
        assert run("sync").code == Exit.DONE
        made.keep()
        platform.put("3", b"corrected")
        platform.put("6")
        platform.delete("5")
        assert run("sync", "--full").code == Exit.DONE
        yield made


@pytest.mark.parametrize("lost", lines())
def test_what_is_lost_comes_back(desk: Desk, lost: str) -> None:
    """The commands end as they are said to, readers find what is current, and no more is fetched than is said."""
    do, happens = lines()[lost]
    desk.happen(lost)
    desk.platform.put("8", b"finished meanwhile")
    fetched = 0
    for words, code in _COMMAND.findall(do):
        ended = desk.run(*words.split(), *(["-o", "json"] if words.startswith(("sync", "repair")) else []))
        assert ended.code == int(code or 0), ended.err
        fetched += (
            sum(each["counts"]["stored"] + each["counts"]["replayed"] for each in ended.json()) if ended.out else 0
        )
    expected = {item.key.item: item.body for item in desk.platform.live()}
    for sink in ("lake", "box"):
        with read(str(desk.folder / "out" / sink)) as labels:
            assert {label.key.item: label.content for label in labels} == expected
    assert desk.run("verify", "--deep", "-o", "json").json() == []
    if "nothing is fetched again" in happens:
        assert fetched == 1
    elif "came since" in happens:
        assert fetched == 3
    elif "made anew" in happens:
        assert fetched == len(expected)
    else:
        assert fetched >= len(expected)
    assert desk.run("sync", "--full").code == Exit.DONE


def test_every_case_is_told() -> None:
    """State, destination or both, lost or older: each of them has a line."""
    assert len(lines()) == 7
