"""The stages of a Dockerfile rehearsed without an engine: each has a root folder of its own, entered by bubblewrap.

The image that a stage begins with is played by this machine's Python and libraries, which can't be written to. Paths,
working folders, environment, and the numbers of user and group are those of the Dockerfile.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.dockerfile import Instruction, Stage, sent, stages

#: Where a container finds what the Python image would bring: `python` and `pip`.
_IMAGE = "/image"
#: What it has of this machine: programs, libraries, certificates, and the interpreter.
_SYSTEM = (Path("/usr"), Path("/etc"), Path(sys.base_prefix))
_LINKS = ("bin", "sbin", "lib", "lib64")
_FOLDERS = ("proc", "dev", "tmp", "opt", "var/lib", _IMAGE.lstrip("/"))
#: Variables that tell an installer where packages come from, and whom to trust.
_NETWORK = ("PIP_", "SSL_", "REQUESTS_")
#: Never sent to an engine, wherever they lie.
_UNSENT = shutil.ignore_patterns("__pycache__", ".*_cache")

_PIP = f"""\
#!{_IMAGE}/bin/python
import runpy, sys
sys.path.insert(0, "{_IMAGE}/lib")
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


@dataclass(slots=True)
class Container:
    """The root folder of a stage, and how processes are started in it."""

    root: Path
    image: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": f"{_IMAGE}/bin:/usr/bin:/bin"})
    workdir: str = "/"
    user: str = "0:0"

    def __post_init__(self) -> None:
        """Lay the folders that an image has, and those that everything else is mounted on."""
        for place in (*map(Path, _FOLDERS), *(system.relative_to("/") for system in _SYSTEM)):
            (self.root / place).mkdir(parents=True, exist_ok=True)
        for name in _LINKS:
            if Path("/", name).is_symlink():
                (self.root / name).symlink_to(Path("/", name).readlink())

    def place(self, path: str) -> Path:
        """Return where a path in here lies outside."""
        return self.root / str(Path(self.workdir, path)).lstrip("/")

    def line(self, words: Sequence[str], *options: str, writable: bool = False) -> list[str]:
        """Return the command line that runs one in here, alone with its own processes."""
        uid, _, gid = self.user.partition(":")
        mounts = ["--bind" if writable else "--ro-bind", str(self.root), "/", "--ro-bind", str(self.image), _IMAGE]
        for place in map(str, _SYSTEM):
            mounts += ["--ro-bind", place, place]
        own = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", self.workdir]  # noqa: S108  # in there
        alone = ["--unshare-user", "--uid", uid, "--gid", gid, "--unshare-pid", "--unshare-ipc", "--die-with-parent"]
        variables = [part for name, value in self.environment.items() for part in ("--setenv", name, value)]
        return ["bwrap", *mounts, *own, *alone, "--clearenv", *variables, *options, "--", *words]

    def run(self, words: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, without a network; the root can't be written to."""
        return _ended(self.line(words, "--unshare-net", *options))

    def change(self, words: Sequence[str]) -> None:
        """Run a command that changes the root, with a network."""
        names = [name for name in os.environ if name.startswith(_NETWORK)]
        known = [part for name in names for part in ("--setenv", name, os.environ[name])]
        ended = _ended(self.line(words, *known, writable=True))
        assert ended.returncode == 0, f"{' '.join(words)}\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"


def _ended(line: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=250)


def build(context: Path, folder: Path) -> tuple[Container, Stage]:
    """Do all that the Dockerfile of a checkout says; return what its last stage leaves."""
    image = _python_image(folder / "image")
    done: dict[str, Container] = {}
    for stage in stages(context / "Dockerfile"):
        container = Container(folder / (stage.name or "last"), image)
        for each in stage.instructions:
            _follow(each, container, done, context)
        done[stage.name] = container
    return container, stage


def _python_image(folder: Path) -> Path:
    """Make what stands for the Python image: this interpreter, and the pip of the tests' environment."""
    pip = importlib.util.find_spec("pip")
    assert pip is not None
    assert pip.origin is not None
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"))
    shutil.copytree(Path(pip.origin).parent, folder / "lib" / "pip", ignore=_UNSENT)
    program = folder / "bin" / "pip"
    program.write_text(_PIP, "utf-8")
    program.chmod(0o755)
    return folder


def _follow(each: Instruction, here: Container, done: Mapping[str, Container], context: Path) -> None:
    match each.word:
        case "WORKDIR":
            here.workdir = each.rest
            here.place("").mkdir(parents=True, exist_ok=True)
        case "ENV":
            here.environment |= each.pairs(here.environment)
        case "USER":
            here.user = each.rest
        case "COPY":
            *sources, target = each.words()
            for name in sources:
                place = here.place(f"{target}/{Path(name).name}" if target.endswith("/") else target)
                if "from" in each.flags:
                    _copy(done[each.flags["from"]].place(name), place)
                else:
                    assert name in sent(context), f"{name} is not sent to the engine"
                    _copy(context / name, place, _UNSENT)
        case "RUN":
            here.change(each.words())
        case "EXPOSE" | "HEALTHCHECK" | "ENTRYPOINT" | "CMD" | "LABEL" | "ARG":
            pass
        case other:
            raise AssertionError(f"the rehearsal knows no {other}")


def _copy(source: Path, target: Path, ignore: Callable[[str, list[str]], set[str]] | None = None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignore)
    else:
        shutil.copy2(source, target)
