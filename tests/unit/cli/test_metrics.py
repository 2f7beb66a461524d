"""What a pass tells Prometheus: by a file, and by a Pushgateway that is never in its way."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import web
from anyio.from_thread import start_blocking_portal

from syncer.cli import pushed
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from syncer.state import open_state
from tests.support.exposed import faults, values
from tests.support.servers import Handler, Served, in_turn, serving
from tests.unit.cli.conftest import Run

PASSWORD = "correct-horse-battery"


@dataclass
class Pushgateway:
    """Groups as they were put last, with the credentials that were shown."""

    groups: dict[str, str] = field(default_factory=dict)
    shown: list[str | None] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    async def put(self, request: web.Request) -> web.Response:
        """Replace a group."""
        self.shown.append(request.headers.get("Authorization"))
        self.types.append(request.headers["Content-Type"])
        if request.method != "PUT":
            return web.Response(status=405)
        self.groups[request.rel_url.raw_path] = (await request.read()).decode()
        return web.Response(status=202)


@contextmanager
def listening(handler: Handler) -> Iterator[Served]:
    """Run a server beside the command."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(handler)) as served:
        yield served


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this machine a name."""
    monkeypatch.setattr(pushed.socket, "gethostname", lambda: "worker-1")


def fresh(text: str, job: str) -> float | None:
    """Return the freshness of a job."""
    return values(text).get(f'syncer_fresh_until_timestamp_seconds{{sync_job="{job}"}}')


def started(run: Run, job: str) -> list[float]:
    """Return when the runs of a job began, the newest first."""
    return [datetime.fromisoformat(row["started"]).timestamp() for row in run("history", job, "-o", "json").json()]


# ------------------------------------------------------------------------------------------------- files


def test_a_file_for_the_collector(run: Run, config: Path) -> None:
    """The outcome lands in a file that the collector may read, well formed, and nothing temporary stays."""
    target = config.parent / "syncer.prom"
    assert run("sync", "--metrics-file", target).code == Exit.DONE
    got = values(target.read_text())
    assert faults(target.read_text()) == []
    for job in ("files", "archive"):
        assert got[f'syncer_last_run_items{{result="stored",sync_job="{job}"}}'] == 5
        assert got[f'syncer_last_run_exit_code{{sync_job="{job}"}}'] == 0
        assert got[f'syncer_owed_items{{sync_job="{job}"}}'] == 0
        assert fresh(target.read_text(), job) == started(run, job)[0]
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in config.parent.glob(".syncer.prom*")] == []


def test_a_file_that_can_not_be(run: Run, config: Path) -> None:
    """A folder that is not there is said, with 78."""
    assert run("sync", "files", "--metrics-file", config.parent / "nowhere" / "x.prom").code == Exit.SETTINGS


def test_a_pass_that_saw_not_everything_keeps_the_freshness(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """Owed items, a limit, and a run that could not begin show the moment of the last complete listing, not theirs."""
    target = config.parent / "syncer.prom"

    def synced(*words: str) -> tuple[int, str]:
        return run("sync", "files", "--metrics-file", target, *words).code, target.read_text()

    synced()
    first = started(run, "files")[0]
    platform.put("6")
    platform.fail("6", times=1)
    code, text = synced()
    assert (code, fresh(text, "files")) == (Exit.OWING, first)
    assert values(text)['syncer_owed_items{sync_job="files"}'] == 1
    for number in range(20, 40):
        platform.put(str(number))
    code, text = synced("--max-items", "3")
    assert (code, fresh(text, "files")) == (Exit.STOPPED, first)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_state("sqlite:state.db", config.parent)) as store,
        portal.wrap_async_context_manager(store.lease("files")),
    ):
        code, text = synced()
    assert (code, fresh(text, "files")) == (Exit.NOT_NOW, first)
    assert values(text)['syncer_last_run_exit_code{sync_job="files"}'] == 75
    synced()
    code, text = synced()
    assert (code, fresh(text, "files")) == (Exit.DONE, started(run, "files")[0])


def test_a_job_that_did_not_run_shows_what_was_known(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """A pass that stops before a job leaves that job's freshness in the file: no gap, and no lie."""
    target = config.parent / "syncer.prom"
    run("sync")
    before = started(run, "archive")[0]
    platform.put("6")
    platform.put("7")
    assert run("sync", "files", "archive", "--max-items", "1", "--metrics-file", target).code == Exit.STOPPED
    assert fresh(target.read_text(), "archive") == before


# ------------------------------------------------------------------------------------------ pushgateways


def test_a_group_a_job_is_put(run: Run, config: Path) -> None:
    """Each job's group is replaced as a whole, under `job`, `instance` and the job's own name."""
    gate = Pushgateway()
    with listening(gate.put) as served:
        assert run("sync", "--push-metrics", served.url).code == Exit.DONE
    groups = {f"/metrics/job/syncer/instance/worker-1/sync_job/{job}": job for job in ("files", "archive")}
    assert gate.groups.keys() == groups.keys()
    for path, job in groups.items():
        assert faults(gate.groups[path]) == []
        assert fresh(gate.groups[path], job) == started(run, job)[0]
        assert {label for label in ("files", "archive") if f'sync_job="{label}"' in gate.groups[path]} == {job}
    assert set(gate.types) == {"text/plain; version=0.0.4; charset=utf-8"}
    assert set(gate.shown) == {None}


def test_rule_24_user_and_password_by_reference(
    run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They become basic authentication and appear nowhere, also when the Pushgateway refuses them."""
    gate = Pushgateway()
    with listening(gate.put) as served:
        url = served.url.replace("://", f"://me%40here:{PASSWORD}@")
        monkeypatch.setenv("GATE", url)
        assert run("sync", "files", "--push-metrics", "env:GATE").code == Exit.DONE
        (tmp_path / "gate").write_text(url + "\n")
        (tmp_path / "gate").chmod(0o600)
        assert run("sync", "files", "--push-metrics", f"file:{tmp_path / 'gate'}").code == Exit.DONE
    credential = base64.b64encode(f"me@here:{PASSWORD}".encode()).decode()
    assert gate.shown == [f"Basic {credential}"] * 2
    refusal = web.Response(status=401, text=f"not {PASSWORD}, {credential}")
    with listening(in_turn(refusal)) as served:
        monkeypatch.setenv("GATE", served.url.replace("://", f"://me:{PASSWORD}@"))
        ended = run("sync", "files", "-v", "--push-metrics", "env:GATE")
    assert ended.code == Exit.DONE
    assert f"warning: --push-metrics: {served.url} was not told" in ended.err
    assert PASSWORD not in ended.err
    assert credential not in ended.err


@pytest.mark.parametrize("quiet", [False, True])
def test_a_pushgateway_that_fails_is_a_warning(run: Run, config: Path, quiet: bool) -> None:  # a table
    """What it says against the figures, and nobody there at all, change no exit code; it is said once."""
    words = ["-q"] if quiet else []
    with listening(in_turn(web.Response(status=400, text="inconsistent \x1b[2J metrics"))) as served:
        ended = run("sync", "--push-metrics", served.url, *words)
        assert len(served.requests) == 1, "a refusal is not repeated, and the other job is left"
    away = run("sync", "--push-metrics", served.url, *words)
    assert (ended.code, away.code) == (Exit.DONE, Exit.DONE)
    for said in (ended.err, away.err):
        assert said.count(f"warning: --push-metrics: {served.url} was not told") == (not quiet)
        assert "\x1b" not in said
    assert ("answered 400" in ended.err) is not quiet


def test_a_server_error_is_tried_twice_and_a_redirect_never_followed(run: Run, config: Path) -> None:
    """A group put somewhere else would be told to a stranger."""
    gate = Pushgateway()
    with listening(in_turn(503, 200)) as served:
        ended = run("sync", "files", "--push-metrics", served.url)
        assert (len(served.requests), "warning" in ended.err) == (2, False)
    with listening(gate.put) as other:
        moved = web.Response(status=307, headers={"Location": f"{other.url}/metrics/job/x"})
        with listening(in_turn(moved)) as served:
            assert "answered 307" in run("sync", "files", "--push-metrics", served.url).err
    assert not gate.groups


def test_the_path_may_name_the_group(run: Run, config: Path) -> None:
    """Where pods have random names, the instance is given; and one that names its job itself is left alone."""
    gate = Pushgateway()
    with listening(gate.put) as served:
        run("sync", "files", "--push-metrics", f"{served.url}/prom/metrics/job/nightly/instance/eu/")
        run("sync", "files", "--push-metrics", f"{served.url}/metrics/job/a/sync_job@base64/eA")
    assert list(gate.groups) == [
        "/prom/metrics/job/nightly/instance/eu/sync_job/files", "/metrics/job/a/sync_job@base64/eA",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("a job", "sync_job/a%20job"),
        ("a/b", "sync_job@base64/YS9i"),
        ("", "sync_job@base64/="),
        ("ä?", "sync_job/%C3%A4%3F"),
    ],
)
def test_names_that_a_path_can_not_hold(value: str, part: str) -> None:
    """The Pushgateway takes them by base64, as its documentation says."""
    assert pushed._label("sync_job", value) == part


def test_what_can_not_be_a_url_is_refused_before_anything_runs(run: Run, config: Path) -> None:
    """A typing error is found now, not after hours of work."""
    ended = run("sync", "archive", "--push-metrics", "pushgateway:9091")
    assert (ended.code, "--push-metrics" in ended.err) == (Exit.USAGE, True)
    assert run("sync", "archive", "--push-metrics", "env:NO_SUCH_GATE").code == Exit.SETTINGS
    assert not (config.parent / "box").exists()
