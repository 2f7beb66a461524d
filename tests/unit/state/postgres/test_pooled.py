"""A real pooler in between: of sessions it is welcome, of transactions it is told apart and refused."""

from pathlib import Path

import pytest

from syncer.model.errors import Exit, SettingsError
from syncer.state import open_state
from tests.support.command import syncer
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import Postgres
from tests.support.states import LAKE, at, group, put
from tests.support.stored import unit


def through(server: Postgres, schema: str, port: int) -> str:
    """Return the URL of a state by way of a pooler."""
    return server.url(schema).replace(f":{server.port}/", f":{port}/")


async def test_a_pool_of_sessions_is_as_good_as_the_server(
    tmp_path: Path, postgres_server: Postgres, schema: str
) -> None:
    """Whatever belongs to a session stays with it."""
    with pgbouncer(postgres_server, "session") as port:
        async with (
            open_state(through(postgres_server, schema, port), tmp_path) as store,
            store.lease("job"),
            store.unit("job", unit(), [LAKE]) as ledger,
        ):
            await ledger.commit(group(changes={"lake": put("1", "2")}, cursors=at("1")))
            assert (await ledger.legs())["lake"].live == 2


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pool_of_transactions_is_refused(
    tmp_path: Path, postgres_server: Postgres, schema: str, mode: str
) -> None:
    """With a single client, where all would seem to work; the message says what to do."""
    with pgbouncer(postgres_server, mode) as port:
        with pytest.raises(SettingsError, match="pooler") as caught:
            async with open_state(through(postgres_server, schema, port), tmp_path):
                pass
        assert "connect to the server itself" in (caught.value.hint or "")


def test_the_command_ends_with_78(tmp_path: Path, postgres_server: Postgres, schema: str) -> None:
    """And shows no password."""
    with pgbouncer(postgres_server, "transaction") as port:
        state = through(postgres_server, schema, port)
        ended = syncer("status", "--set", f"state={state}", cwd=tmp_path)
        assert ended.code == Exit.SETTINGS, ended.err
        assert "pool_mode = session" in ended.err
        assert "wrenches" not in ended.err
