"""Everything that a server, a proxy or the network does on a bad day: nothing is lost, and nothing arrives twice."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from syncer.app.library import open_syncer
from syncer.cli import summary
from syncer.cli.merged import merged
from syncer.demo.platform.faults import CORRUPTIONS
from syncer.demo.platform.process import Remote, platform_process
from syncer.ports import ManifestRow, Sink
from syncer.schedule.clock import SystemClock
from syncer.sinks.archive import PLUGIN as ZIP
from syncer.sinks.prefix import PLUGIN as PREFIX
from tests.support.command import Ended, syncer
from tests.support.destination import contents
from tests.support.stored import tools

TASKS = 300
#: A task with one finished annotation in the middle of a page, and one with two.
ROW, DOUBLE = 123, 209
#: The first task, and the last finished one.
EDGES = (1, TASKS - 1)

CONFIGURATION = """
state: sqlite:state.db
platforms:
  studio:
    type: label_studio
    url: {url}
    token: {token}
    page_size: 12
    granularity: {granularity}
    limits: {{attempts: {attempts}, retry_budget: {budget}, timeout: 1.5, read_timeout: 1}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  job: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [folder, archive], commit: {{items: 30}}}}
"""

#: Cases of every kind that run whenever the tests run; the whole matrix is a slow proof.
ORDINARY = frozenset({
    "429 with Retry-After", "502 once for each request", "cut bodies", "bodies slower than the timeout",
    "a sign-in page", "garbage", "repeated pages", "everything", "limits.max_body=20000", "a row with nan",
    "a row that makes its page a 500", "the last row", "deep", "503 for ever", "403 for ever", "404 from a proxy",
})  # fmt: skip

Fault = Mapping[str, Any]
#: What identifies an outcome: key, operation, version, path, size and sha256 of every row, and what lies there.
Outcome = tuple[frozenset[tuple[str, ...]], Mapping[str, str]]


class Brisk(SystemClock):
    """Real time, but all waits are a tenth."""

    async def sleep(self, seconds: float) -> None:
        """Wait for a tenth of it."""
        await super().sleep(seconds / 10)


@dataclass(frozen=True)
class Work:
    """A folder with a configuration for the platform's first project."""

    folder: Path

    @classmethod
    def on(
        cls, folder: Path, platform: Remote, *, token: str | None = None, granularity: str = "task", budget: float = 20,
        attempts: int = 4,
    ) -> "Work":  # fmt: skip
        """Write the configuration."""
        folder.mkdir(exist_ok=True)
        text = CONFIGURATION.format(
            url=platform.url, token=token or platform.token, project=next(iter(platform.projects)),
            granularity=granularity, budget=budget, attempts=attempts,
        )  # fmt: skip
        (folder / "syncer.yaml").write_text(text)
        return cls(folder)

    async def sync(self, *sets: str) -> tuple[Ended, dict[str, Any]]:
        """Run a pass in this process; return how it ended, with what it would say, and its report."""
        async with open_syncer(self.folder / "syncer.yaml", sets=sets, clock=Brisk()) as syncer:
            report = await syncer.sync("job")
            owed = await syncer.store.all_owed("job")
        words = "\n".join(summary.lines(report, owed))
        return Ended(int(report.exit_code()), "", words), dict(summary.as_json(report))

    async def command(self, *words: str) -> Ended:
        """Run a command in a process of its own."""
        return await anyio.to_thread.run_sync(lambda: syncer(*words, cwd=self.folder, timeout=60))

    async def outcome(self) -> dict[str, Outcome]:
        """Return what a reader finds at each destination, after checking that the two agree."""
        sinks: Sequence[Sink] = (
            PREFIX.create(PREFIX.options(type="prefix", url="file:labels"), self.folder, tools("folder")),
            ZIP.create(ZIP.options(type="zip", url="file:archive", name="labels.zip"), self.folder, tools("archive")),
        )
        found: dict[str, Outcome] = {}
        for sink, folder in zip(sinks, ("labels", "archive"), strict=True):
            rows = [row async for batch in merged(sink.manifest("job")) for row in batch]
            there = contents(self.folder / folder)
            assert all(there[row.path] == row.sha256 for row in rows)
            found[sink.name] = frozenset(map(_identity, rows)), there
        return found


def _identity(row: ManifestRow) -> tuple[str, ...]:
    return row.key.kind, row.key.project, row.key.item, row.op, row.version, row.path, str(row.size), row.sha256


@pytest.fixture(scope="module")
def platform() -> Iterator[Remote]:
    """One embedded platform in a process of its own, for all tests that change nothing but its faults."""
    command = [sys.executable, "-m", "syncer.demo.platform", "--with-parent", "--tasks", str(TASKS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Remote(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()


@dataclass(frozen=True)
class Calm:
    """What exports of an untroubled platform look like, by granularity."""

    outcomes: Mapping[str, Mapping[str, Outcome]]
    stored: Mapping[str, int]


@pytest.fixture(scope="module")
def calm(platform: Remote, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Export once without any trouble."""

    async def export(granularity: str) -> tuple[dict[str, Outcome], int]:
        work = Work.on(tmp_path_factory.mktemp("calm"), platform, granularity=granularity)
        ended, report = await work.sync()
        ended.ok()
        return await work.outcome(), report["counts"]["stored"]

    made = {granularity: anyio.run(export, granularity) for granularity in ("task", "annotation")}
    return Calm({name: pair[0] for name, pair in made.items()}, {name: pair[1] for name, pair in made.items()})


@asynccontextmanager
async def trouble(platform: Remote, *faults: Fault) -> Any:
    """Switch faults on, and everything off again."""
    await platform.heal()
    await platform.ask("DELETE", "/_log")
    for fault in faults:
        await platform.fault(**fault)
    try:
        yield
    finally:
        await platform.heal()


def status(code: int, **more: Any) -> Fault:
    """Return a fault that answers with a status; by default twice, and soon over."""
    return {"kind": "status", "status": code, "times": 2, "retry_after": 0.05, **more}


def cases(names: Iterable[str]) -> list[Any]:
    """Return parameters of a test; those that are not in the ordinary share are slow."""
    return [pytest.param(name, marks=() if name in ORDINARY else pytest.mark.slow) for name in names]


PASSING: Mapping[str, Sequence[Fault]] = {
    "429 with Retry-After": [status(429, times=10)],
    "429 as a page, without": [status(429, html=True, times=1, retry_after=None)],
    "a rate limit": [{"kind": "rate", "per_second": 20, "retry_after": 0.1, "status": 429, "times": None}],
    "500 as JSON": [status(500, route="tasks", after=2)],
    "500 as a page, no hint": [status(500, html=True, retry_after=None)],
    "502 once for each request": [status(502, html=True, each=True, times=1)],
    "503 once for each page": [status(503, each=True, times=1, route="tasks", retry_after=None)],
    "504 of big pages": [status(504, html=True, times=None, where={"page_size": "12"})],
    "resets": [{"kind": "reset", "times": 4, "after": 2}],
    "cut bodies": [{"kind": "cut", "keep": 100, "each": True}],
    "empty bodies": [{"kind": "cut", "keep": 0, "times": 3}],
    "almost whole bodies": [{"kind": "cut", "keep": 20_000, "times": 3, "route": "tasks", "after": 2}],
    "slow bodies": [{"kind": "slow", "seconds": 0.3, "times": None}],
    "bodies slower than the timeout": [{"kind": "slow", "seconds": 3, "times": 2, "route": "tasks", "after": 2}],
    "silence": [{"kind": "latency", "seconds": 3, "times": 2, "route": "tasks", "after": 1}],
    "a sign-in page": [{"kind": "login", "times": 3}],
    "a sign-in page for each request": [{"kind": "login", "each": True, "route": "tasks"}],
    "garbage": [{"kind": "garbage", "times": 3, "route": "tasks"}],
    "garbage now and then": [{"kind": "garbage", "route": "tasks", "after": after} for after in (0, 2, 4, 7, 10)],
    "repeated pages": [{"kind": "repeat", "times": 3, "route": "tasks", "after": 2}],
    "everything": [
        status(503), {"kind": "reset", "after": 3}, {"kind": "cut", "after": 5}, {"kind": "login", "after": 7},
        {"kind": "garbage", "after": 9}, status(429, after=11), {"kind": "repeat", "after": 13, "route": "tasks"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", cases(PASSING))
async def test_trouble_that_passes_leaves_no_trace(platform: Remote, calm: Calm, tmp_path: Path, name: str) -> None:
    """Trouble that ends is waited out: exit 0, and the destination is that of a calm export."""
    work = Work.on(tmp_path, platform)
    async with trouble(platform, *PASSING[name]):
        ended, report = await work.sync()
        struck = sum(fault["hits"] for fault in await platform.ask("GET", "/_faults"))
    assert struck, "the fault never struck"
    assert ended.code == 0, ended.err
    assert report["complete"]
    assert (report["counts"]["stored"], report["counts"]["owed"]) == (calm.stored["task"], 0)
    assert await work.outcome() == calm.outcomes["task"]
    ended, report = await work.sync()
    assert (ended.code, report["counts"]["stored"]) == (0, 0)


@pytest.mark.parametrize("limit", cases(["limits.max_body=20000", "page_size=1", "limits.concurrency=1"]))
async def test_tight_limits_change_nothing(platform: Remote, calm: Calm, tmp_path: Path, limit: str) -> None:
    """Answers above the largest body are asked for in smaller pages; one task or one request at a time do as well."""
    work = Work.on(tmp_path, platform)
    async with trouble(platform):
        ended, report = await work.sync(f"platforms.studio.{limit}")
    assert (ended.code, report["counts"]["stored"]) == (0, calm.stored["task"]), ended.err
    assert await work.outcome() == calm.outcomes["task"]


BROKEN: Mapping[str, Fault] = {
    **{f"a row with {how}": {"kind": "corrupt", "how": how, "task": ROW} for how in CORRUPTIONS},
    "a row that makes its page a 500": status(500, html=True, task=ROW, times=None),
    "a row that breaks the connection": {"kind": "reset", "task": ROW, "times": None},
    "a row that makes its page garbage": {"kind": "garbage", "task": ROW, "times": None},
    "a row that is cut": {"kind": "cut", "task": ROW, "times": None},
    "the first row": {"kind": "corrupt", "how": "nan", "task": EDGES[0]},
    "the last row": status(500, task=EDGES[1], times=None),
}


@pytest.mark.parametrize("name", cases(BROKEN))
async def test_a_broken_task_is_owed_until_it_is_well(platform: Remote, calm: Calm, tmp_path: Path, name: str) -> None:
    """All others arrive; the broken task is named with exit 3, tried first next time, and stored when it is well."""
    fault = BROKEN[name]
    work = Work.on(tmp_path, platform, attempts=2)
    async with trouble(platform, fault):
        ended, report = await work.sync()
        assert ended.code == 3, ended.err
        assert report["counts"]["stored"] == calm.stored["task"] - 1
        assert report["owed"] == {"folder": 1, "archive": 1}
        assert report["complete"], "all was listed"
        assert f"/ {fault['task']}: " in ended.err, "the owed item is not named"
        others = await work.outcome()
        for sink, (rows, files) in calm.outcomes["task"].items():
            assert others[sink][0] == {row for row in rows if row[2] != str(fault["task"])}
            assert files.items() >= others[sink][1].items()
        # Still broken: still owed, and nothing else is fetched again.
        ended, report = await work.sync()
        assert (ended.code, report["counts"]["stored"], report["counts"]["replayed"]) == (3, 0, 0)
        assert report["owed"] == {"folder": 1, "archive": 1}
    await platform.ask("DELETE", "/_log")
    ended, report = await work.sync()
    assert (ended.code, report["counts"]["stored"], report["counts"]["replayed"]) == (0, 0, 1), ended.err
    first = next(line for line in await platform.ask("GET", "/_log") if line["route"] == "tasks")
    assert "in_list" in first["params"]["query"], "the owed item was not tried first"
    assert await work.outcome() == calm.outcomes["task"]


@pytest.mark.parametrize("how", cases(["nan", "deep", "500"]))
async def test_broken_annotations_are_owed_too(platform: Remote, calm: Calm, tmp_path: Path, how: str) -> None:
    """Where single annotations are exported, both of a broken task are owed, and both come when it is well."""
    fault: Fault = {"kind": "corrupt", "how": how, "task": DOUBLE}
    if how == "500":
        fault = status(500, task=DOUBLE, times=None, where={"fields": "all"})
    work = Work.on(tmp_path, platform, granularity="annotation", attempts=2)
    async with trouble(platform, fault):
        ended, report = await work.sync()
        assert (ended.code, report["owed"]) == (3, {"folder": 2, "archive": 2}), ended.err
        assert report["counts"]["stored"] == calm.stored["annotation"] - 2
    ended, report = await work.sync()
    assert (ended.code, report["counts"]["replayed"]) == (0, 2), ended.err
    assert await work.outcome() == calm.outcomes["annotation"]


STOPPING: Mapping[str, tuple[Sequence[Fault], int]] = {
    "503 for ever": ([status(503, times=None, after=6)], 75),
    "429 for ever": ([status(429, times=None, after=6, retry_after=1.1)], 75),
    "500 for everything": ([status(500, times=None, after=6, html=True)], 75),
    "resets for ever": ([{"kind": "reset", "times": None, "after": 6}], 75),
    "a sign-in page for ever": ([{"kind": "login", "times": None, "after": 6}], 75),
    "garbage for ever": ([{"kind": "garbage", "times": None, "after": 6}], 75),
    "401 for ever": ([status(401, times=None, after=6)], 77),
    "403 for ever": ([status(403, times=None, after=6)], 77),
    "404 from a proxy": ([status(404, times=None, after=6, html=True)], 75),
}


@pytest.mark.parametrize("name", cases(STOPPING))
async def test_trouble_that_stays_stops_the_run(platform: Remote, calm: Calm, tmp_path: Path, name: str) -> None:
    """A platform that stays away ends the run in an honest way; nothing is owed or deleted; the next run goes on."""
    faults, code = STOPPING[name]
    work = Work.on(tmp_path, platform, budget=1)
    async with trouble(platform, *faults):
        ended, first = await work.sync()
        assert ended.code == code, ended.err
        assert not first["complete"]
        assert code == 75 or "hint: " in ended.err
        assert sum(first["owed"].values()) == 0, "a platform that is down is no broken item"
        ended, second = await work.sync("platforms.studio.limits.attempts=1")
        assert (ended.code, second["counts"]["deleted"]) == (code, 0), ended.err
    ended, third = await work.sync()
    assert ended.code == 0, ended.err
    assert sum(report["counts"]["stored"] for report in (first, second, third)) == calm.stored["task"]
    assert await work.outcome() == calm.outcomes["task"]


async def test_what_users_see_of_trouble(platform: Remote, calm: Calm, tmp_path: Path) -> None:
    """The command names what is owed and ends with 3, `owed list` shows it, and a later pass ends with 0."""
    work = Work.on(tmp_path, platform)
    async with trouble(platform, BROKEN["a row with nan"], status(503, times=2), status(502, after=4)):
        ended = await work.command("sync")
        assert ended.code == 3, ended.err
        assert f"1 / {ROW}: the answer can't be read" in ended.err
        owed = (await work.command("owed", "list", "-o", "json")).ok().json()
        assert {(row["job"], json.loads(row["key"])[-1]) for row in owed} == {("job", str(ROW))}
        assert (await work.command("status")).code in {0, 3}
    ended = (await work.command("sync")).ok()
    assert "owed before and now stored" in ended.err
    async with trouble(platform, status(503, times=None)):
        away = await work.command("sync", "--set", "platforms.studio.limits.attempts=2")
        assert away.code == 75, away.err
        assert "answered 503 (2 attempts)" in away.err
    assert await work.outcome() == calm.outcomes["task"]


async def test_access_tokens_that_expire_in_the_middle(platform: Remote, calm: Calm, tmp_path: Path) -> None:
    """Access tokens that end again and again are renewed, and no request is lost to it."""
    work = Work.on(tmp_path, platform, token=platform.pat)
    # Far enough apart that no request meets two of them.
    expiries: Sequence[Fault] = [{"kind": "expire", "after": after} for after in (0, 2, 12)]
    async with trouble(platform, *expiries):
        ended, report = await work.sync()
    assert (ended.code, report["counts"]["stored"]) == (0, calm.stored["task"]), ended.err
    assert await work.outcome() == calm.outcomes["task"]


@pytest.mark.parametrize("after", [2, *(pytest.param(other, marks=pytest.mark.slow) for other in (1, 5))])
async def test_rows_that_vanish_between_pages(tmp_path: Path, after: int) -> None:
    """Tasks that are deleted while pages are read take no other task with them, and are gone after the next run."""
    async with platform_process("--tasks", str(TASKS)) as platform:
        work = Work.on(tmp_path / "troubled", platform)
        gone = [5, 41, 42, 43, 121, 160, 161, 240, 281]
        await platform.fault("vanish", route="tasks", after=after, delete=gone)
        ended, first = await work.sync()
        assert ended.code == 0, ended.err
        assert first["complete"]
        before = (await work.outcome())["folder"][0]
        await platform.heal()
        ended, second = await work.sync()
        assert (ended.code, second["counts"]["stored"]) == (0, 0), ended.err
        reference = Work.on(tmp_path / "calm", platform)
        (await reference.sync())[0].ok()
        expected = await reference.outcome()
        found = await work.outcome()
    assert {row[2] for row in before} >= {row[2] for row in expected["folder"][0]}
    assert [found[sink][0] for sink in found] == [expected[sink][0] for sink in found]
    # The archive drops what is gone; in the folder the bytes stay, and the manifest has taken them out.
    assert found["archive"][1] == expected["archive"][1]
    assert found["folder"][1].items() >= expected["folder"][1].items()


async def test_rows_that_vanish_before_they_are_fetched(tmp_path: Path) -> None:
    """A task that was listed as changed and is deleted before its document is fetched is not owed, but gone."""
    async with platform_process("--tasks", "60") as platform:
        work = Work.on(tmp_path / "troubled", platform)
        (await work.sync())[0].ok()
        for annotation in (1, 3, 5):
            await platform.ask("PATCH", f"/api/annotations/{annotation}/", {"result": []})
        # The first answer about tasks lists them, the next one is to carry their documents.
        await platform.fault("vanish", route="tasks", delete=[2])
        ended, report = await work.sync()
        assert ended.code == 0, ended.err
        assert (report["counts"]["stored"], sum(report["owed"].values())) == (2, 0)
        (await work.sync())[0].ok()
        reference = Work.on(tmp_path / "calm", platform)
        (await reference.sync())[0].ok()
        expected = await reference.outcome()
        found = await work.outcome()
    assert [found[sink][0] for sink in found] == [expected[sink][0] for sink in found]


async def test_trouble_while_changes_are_read(tmp_path: Path) -> None:
    """A second run through storms, cut bodies and a broken row has the changes, owes one, and then has it too."""
    async with platform_process("--tasks", str(TASKS)) as platform:
        work = Work.on(tmp_path / "troubled", platform)
        (await work.sync())[0].ok()
        for task in (ROW, 7, 8, 9, 201):
            await platform.ask("PATCH", f"/api/tasks/{task}/", {"meta": {"changed": task}})
        for task in (30, 31, 32):
            await platform.ask("DELETE", f"/api/tasks/{task}/")
        await platform.ask(
            "POST", f"/api/projects/{next(iter(platform.projects))}/import",
            [{"data": {"image": f"{n}.png"}, "annotations": [{"result": []}]} for n in range(20)],
        )  # fmt: skip
        faults: Sequence[Fault] = [
            {"kind": "corrupt", "task": ROW, "how": "surrogate"}, status(503, times=2, after=1),
            {"kind": "cut", "times": 2, "after": 3, "route": "tasks"}, {"kind": "login", "after": 6},
        ]  # fmt: skip
        async with trouble(platform, *faults):
            ended, report = await work.sync()
        assert (ended.code, report["owed"]) == (3, {"folder": 1, "archive": 1}), ended.err
        assert report["counts"]["stored"] == 24
        # The older version of the broken one is still current meanwhile.
        assert str(ROW) in {row[2] for row in (await work.outcome())["archive"][0]}
        ended, report = await work.sync()
        assert (ended.code, report["counts"]["replayed"]) == (0, 1), ended.err
        reference = Work.on(tmp_path / "calm", platform)
        (await reference.sync())[0].ok()
        expected = await reference.outcome()
        found = await work.outcome()
    assert [found[sink][0] for sink in found] == [expected[sink][0] for sink in found]
    assert found["archive"][1] == expected["archive"][1]
