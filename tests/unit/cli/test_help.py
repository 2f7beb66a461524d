"""The help is part of the contract: every command, every option once, and quickly."""

import inspect
import re
import resource
import subprocess
import sys

import pytest

from syncer.cli.tree import app
from tests.unit.cli.conftest import Run

#: What every command takes.
EVERYWHERE = {"--config", "-c", "--set", "--log-format", "--progress", "--verbose", "-v", "--quiet", "-q"}
OUTPUT = {"--output", "-o"}
PASS = {
    "--full", "--relist", "--refetch", "--dry-run", "-n", "--max-items", "--limit", "--max-bytes", "--max-time",
    "--shard", "--allow-owed", "--max-delete", "--prune", "--accept-gone", "--relayout", "--adopt", "--metrics-file",
    "--push-metrics", "--ping",
}  # fmt: skip
SELECT = {"--project", "--batch", "--annotation-type", "--item", "--ids-from", "--since", "--until", "--to"}

#: The options of each command besides those of all. Others script against them: one that goes missing breaks somebody.
GOLDEN: dict[str, set[str]] = {
    "adopt": {"--job"} | OUTPUT,
    "batches": OUTPUT,
    "changes": {"--since", "--until", "--sink"} | OUTPUT,
    "snapshot create": {"--at", "--sink"},
    "snapshot drop": {"--sink"},
    "snapshot list": {"--sink"} | OUTPUT,
    "erase": {
        "--keys-from",
        "--project",
        "--platform",
        "--groups",
        "--dry-run",
        "-n",
        "--certificate",
        "--resume",
        "--again",
        "--list",
        "--lift",
        "--yes",
    },
    "compact": set(),
    "config schema": set(),
    "config show": OUTPUT,
    "daemon": set(),
    "demo": set(),
    "doctor": OUTPUT,
    "export": SELECT | PASS | OUTPUT,
    "fleet cancel": set(),
    "fleet pause": set(),
    "fleet resume": set(),
    "get": set(),
    "history": {"--limit"} | OUTPUT,
    "init": set(),
    "manifest": {"--sink"} | OUTPUT,
    "owed ignore": {"--until", "--job"},
    "owed list": OUTPUT,
    "owed retry": {"--job"},
    "owed show": {"--job"} | OUTPUT,
    "plan": {"--full", "--relist", "--refetch", "--relayout"} | OUTPUT,
    "platforms": OUTPUT,
    "projects": OUTPUT,
    "repair": {"--salvage", "--to", "--remove-extra", "--yes"} | OUTPUT,
    "retention": {"--keep-runs", "--keep-days", "--dry-run", "-n", "--yes"},
    "state copy": set(),
    "state export": set(),
    "state import": {"--yes"},
    "state migrate": set(),
    "state rebuild": {"--yes"},
    "state rename": {"--yes"},
    "state reset": {"--yes"},
    "status": OUTPUT,
    "sync": PASS | OUTPUT | {"--fleet"},
    "verify": {"--deep", "--source"} | OUTPUT,
    "worker": {"--concurrency", "--queue"},
}

_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def _commands() -> set[str]:
    found: set[str] = set()
    for name in app:
        if name.startswith("-"):
            continue
        inner = [each for each in app[name] if not each.startswith("-")]
        found |= {f"{name} {each}" for each in inner} if inner else {name}
    return found


def test_all_commands_are_known() -> None:
    """There are exactly the commands of the contract."""
    assert _commands() == set(GOLDEN)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_help_names_each_option_once(run: Run, name: str) -> None:
    """The help of a command lists its options, each of them once, and says something about every one."""
    ended = run(*name.split(), "--help")
    assert ended.code == 0
    assert f"Usage: syncer {name}" in ended.out
    rows = [line.strip(" │*") for line in ended.out.splitlines() if line.startswith("│")]
    listed: list[str] = []
    for row in rows:
        names, _, _ = row.partition("  ")
        if names.startswith("-"):
            listed += _OPTION.findall(names)
            assert len(row) > len(names) + 10, f"nothing is said about {names}"
    assert sorted(listed) == sorted(GOLDEN[name] | EVERYWHERE)


def test_the_list_of_commands_says_what_their_own_help_says(run: Run) -> None:
    """The one line on a command in the list is the first line of its docstring."""
    listed = " ".join(run("--help").out.replace("│", " ").split())
    for name in app:
        if name.startswith("-") or app[name].default_command is None:
            continue
        said = inspect.getdoc(app[name].default_command) or ""
        assert said.splitlines()[0] in listed, name


def test_help_is_quick() -> None:
    """`syncer --help` imports neither the platforms nor the HTTP library, and takes less than 300 ms of CPU."""
    code = (
        "import sys; from syncer.cli import main; main(['--help'])\n"
        "heavy = {'aiohttp', 'pydantic', 'structlog', 'syncer.app', 'syncer.flow', 'sqlite3'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    seconds: list[float] = []
    for _ in range(3):  # the best of three: this machine has other things to do
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Three times the promise: nothing is compiled ahead here, and test machines are slow.
    assert min(seconds) < 0.9
