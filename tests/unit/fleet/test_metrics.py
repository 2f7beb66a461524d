"""What a real worker process shows to Prometheus."""

import urllib.request
from pathlib import Path

from syncer.demo.platform.process import Remote
from syncer.model.errors import Exit
from tests.support.exposed import values
from tests.support.fleet import Member, fleet, wait_for
from tests.support.postgres import Postgres


def scraped(member: Member) -> dict[str, float]:
    """Return the samples of a worker, nothing while it does not listen yet."""
    urls = [line["url"] for line in member.said() if line["event"] == "probes and metrics"]
    if not urls:
        return {}
    with urllib.request.urlopen(f"{urls[0]}/metrics") as response:  # noqa: S310  # ours
        return values(response.read().decode())


def test_a_worker_shows_the_others(tmp_path: Path, postgres_server: Postgres) -> None:
    """The second worker's metrics say that there is a first one, which works, and that nothing waits."""
    nowhere = Remote("http://127.0.0.1:9", "x", "x", {}, 0)
    with postgres_server.schema() as schema, fleet(tmp_path / "fleet", nowhere, postgres_server, schema) as workers:
        first = workers.start()
        workers.name_of(first)
        second = workers.start()
        wait_for(lambda: scraped(second).get('syncer_fleet_workers{state="working"}', 0) >= 1, second)
        got = scraped(second)
        assert (got['syncer_fleet_workers{state="silent"}'], got['syncer_fleet_runs{state="running"}']) == (0, 0)
        assert workers.stop() == [Exit.DONE, Exit.DONE]
