"""From a setting to a store, and what goes wrong on the way."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from syncer.model.errors import LeaseHeld, NotNow, RunFailed, SettingsError
from syncer.ports import StateStore
from syncer.state import open_state
from tests.support.states import LAKE, group, put
from tests.support.stored import unit


async def store_items(store: StateStore, *items: str) -> None:
    """Store some items."""
    async with store.unit("job", unit(), [LAKE]) as ledger:
        await ledger.commit(group(changes={"lake": put(*items)}))


async def refused(base: Path, *, readonly: bool = False) -> RunFailed:
    """Return why a state can't be opened; nothing but an error in words will do."""
    with pytest.raises(RunFailed) as caught:
        async with open_state("sqlite:state.db", base, readonly=readonly, busy_seconds=0.05) as store:
            await store_items(store, "1")
    assert caught.value.hint
    assert str(base / "state.db") in str(caught.value)
    return caught.value


@pytest.mark.parametrize("url", ["mysql://user:secret@host/db", "redis:x", "state.db", "memory:x", "sqlite:"])
def test_other_kinds_are_refused_in_words(url: str) -> None:
    """With what to write instead, and never with a password."""
    with pytest.raises(SettingsError) as caught:
        open_state(url, Path("/base"))
    assert "sqlite:PATH" in (caught.value.hint or "")
    assert "secret" not in str(caught.value)


async def test_state_on_disk_is_there_again(tmp_path: Path) -> None:
    """With its id; files are private, and closing leaves one file."""
    async with open_state("sqlite:deep/state.db", tmp_path) as store:
        await store_items(store, "1")
        first = store.id
        files = [path for path in (tmp_path / "deep").iterdir() if path.is_file()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert store.url == f"sqlite:{tmp_path}/deep/state.db"
    assert [path.name for path in (tmp_path / "deep").iterdir() if path.is_file()] == ["state.db"]
    async with open_state("sqlite:deep/state.db", tmp_path) as store:
        assert store.id == first
        assert (await store.status("job")).items == {"lake": 1}


async def test_two_stores_on_one_file_share_it(tmp_path: Path) -> None:
    """Leases are per unit; what one commits, the other sees."""
    async with open_state("sqlite:state.db", tmp_path) as one, open_state("sqlite:state.db", tmp_path) as other:
        async with one.unit("job", unit(), [LAKE]) as ledger:
            with pytest.raises(LeaseHeld, match=r"pid \d+ on"):
                await store_items(other, "1")
            await ledger.commit(group(changes={"lake": put("1")}))
            assert (await other.status("job")).items == {"lake": 1}
            assert list((await other.status("job")).leases) == ["7"]
        await store_items(other, "2")
        assert (await one.status("job")).items == {"lake": 2}


async def test_reading_only_sees_and_writes_nothing(tmp_path: Path) -> None:
    """Status and plan work beside a run; whatever would write is refused."""
    async with open_state("sqlite:state.db", tmp_path) as store:
        await store_items(store, "1")
        async with open_state("sqlite:state.db", tmp_path, readonly=True) as reader:
            assert reader.id == store.id
            assert (await reader.status("job")).items == {"lake": 1}
            async with reader.peek("job", unit(), [LAKE]) as look:
                assert (await look.legs())["lake"].live == 1
            with pytest.raises(SettingsError, match="for reading only"):
                await store_items(reader, "2")
            with pytest.raises(SettingsError, match="for reading only"):
                await reader.reset("job")
            with pytest.raises(SettingsError, match="for reading only"):
                async with reader.lease("job"):
                    pass


@pytest.mark.parametrize("empty", [False, True])
async def test_reading_only_what_is_not_there_yet_is_empty(tmp_path: Path, *, empty: bool) -> None:
    """And leaves it that way."""
    if empty:
        (tmp_path / "state.db").touch()
    async with open_state("sqlite:state.db", tmp_path, readonly=True) as store:
        assert await store.jobs() == []
        async with store.peek("job", unit(), [LAKE]) as look:
            assert (await look.legs())["lake"].live == 0
        with pytest.raises(SettingsError):
            await store.begin_run("job", "run-1", group().at)
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == ([("state.db", 0)] if empty else [])


@pytest.mark.parametrize("readonly", [False, True])
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, *, readonly: bool) -> None:
    """Text, for instance; it is left as it is."""
    (tmp_path / "state.db").write_bytes(b"jobs:\n  highway: {}\n" * 100)
    error = await refused(tmp_path, readonly=readonly)
    assert isinstance(error, SettingsError)
    assert "not a database" in str(error)
    assert (tmp_path / "state.db").read_bytes().startswith(b"jobs:")


@pytest.mark.parametrize("readonly", [False, True])
async def test_the_database_of_another_program_is_refused(tmp_path: Path, *, readonly: bool) -> None:
    """It is a database, and not ours; nothing is added to it."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        other.execute("CREATE TABLE visits (url TEXT)")
    assert "another program" in str(await refused(tmp_path, readonly=readonly))
    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("visits",)]


@pytest.mark.parametrize("readonly", [False, True])
async def test_a_newer_schema_is_refused_in_words(tmp_path: Path, *, readonly: bool) -> None:
    """Written by a later version: use that one."""
    async with open_state("sqlite:state.db", tmp_path) as store:
        await store_items(store, "1")
    with closing(sqlite3.connect(tmp_path / "state.db")) as later:
        later.execute("PRAGMA user_version = 99")
    error = await refused(tmp_path, readonly=readonly)
    assert isinstance(error, SettingsError)
    assert "newer version of syncer (schema 99" in str(error)


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """Pages overwritten by something else: restore, or rebuild from the destination."""
    async with open_state("sqlite:state.db", tmp_path) as store:
        await store_items(store, *(str(number) for number in range(500)))
    path = tmp_path / "state.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    error = await refused(tmp_path)
    assert isinstance(error, SettingsError)
    assert "damaged" in str(error)
    assert "rebuild" in (error.hint or "")


async def test_a_locked_database_is_not_now(tmp_path: Path) -> None:
    """Another program holds it for longer than we wait."""
    async with open_state("sqlite:state.db", tmp_path) as store:
        await store_items(store, "1")
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = await refused(tmp_path)
    assert isinstance(error, NotNow)
    assert "in use by another process" in str(error)


async def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    """The path names something that is no file."""
    (tmp_path / "state.db").mkdir()
    assert isinstance(await refused(tmp_path), SettingsError)
    assert isinstance(await refused(tmp_path, readonly=True), SettingsError)


async def test_memory_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each opening begins empty, and no file is made."""
    for _ in range(2):
        async with open_state("memory:", tmp_path) as store:
            assert await store.jobs() == []
            await store_items(store, "1")
    assert list(tmp_path.iterdir()) == []


async def test_a_server_without_its_client_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install, and not the password."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "psycopg" or name.startswith("syncer.state.postgres.store"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match="psycopg 3, which is not installed") as caught:
        async with open_state("postgresql://user:secret@host/db", Path("/base")):
            pass
    assert caught.value.hint == "pip install 'annotation-syncer[postgres]'"
    assert "secret" not in str(caught.value)


def test_a_state_in_a_file_never_imports_the_client_of_a_server(tmp_path: Path) -> None:
    """Nor does the command line before it knows where the state lies."""
    script = (
        "import asyncio, pathlib, sys, syncer.cli, syncer.app.library; from syncer.state import open_state\n"
        "async def main():\n    async with open_state('sqlite:s.db', pathlib.Path()): pass\n"
        "asyncio.run(main()); print('psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
