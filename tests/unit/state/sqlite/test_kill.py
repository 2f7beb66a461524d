"""A process that is killed while it commits."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from syncer.state import open_state
from tests.support.states import LAKE, SEVEN
from tests.support.stored import unit

#: Commits one item after another, and says so after each.
COMMITTER = """
import asyncio, sys
from pathlib import Path
from syncer.state import open_state
from tests.support.states import LAKE, at, group, put
from tests.support.stored import unit

async def main():
    async with open_state("sqlite:state.db", Path(sys.argv[1])) as store:
        async with store.unit("job", unit(), [LAKE]) as ledger:
            number = (await ledger.legs())["lake"].live
            while True:
                number += 1
                await ledger.commit(group(changes={"lake": put(str(number))}, cursors=at(str(number))))
                print(number, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Rows, cursor, counters and manifest rows of every acknowledged commit, nothing in halves, and no lease left."""
    for turn in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(5 + 3 * turn)][-1]
        process.kill()
        rest, _ = process.communicate()
        acknowledged = int(([said, *rest.split()])[-1])
        async with open_state("sqlite:state.db", tmp_path) as store, store.unit("job", unit(), [LAKE]) as ledger:
            leg = (await ledger.legs())["lake"]
            assert leg.live in {acknowledged, acknowledged + 1}
            assert (await ledger.partition(SEVEN)).cursors == {"lake": str(leg.live)}
            assert len(await store.rows("job", "lake")) == leg.live
            assert len(await ledger.outbox("lake", 10_000)) == leg.live
            assert ledger.epoch == 2 * turn + 2
        with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
