"""Set up everything that the tests need, then run them: `python3 tests/run.py [PYTEST ARGUMENTS]`.

Standard library only, so that it starts on a fresh machine with Python >= 3.11. It makes `.venv` in the checkout with
the package and the test tools; in the user's cache folder further environments with a real Label Studio server and
with vendors' clients, the emulator of Azure's storage, and the checker of alert rules; and it checks for the programs
that archives and examples are proved with, for a PostgreSQL server, and for the browser that shows the page (installed
by apt where this runs as root). Nothing is skipped: what can't be set up is an error that names the command to run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "annotation-syncer-tests"

#: The server that the Label Studio source is proved with.
LABEL_STUDIO = "label-studio==1.23.2"

#: The vendors' own clients that the emulated platforms are proved with, in an environment of their own.
CLIENTS = ("vi-sdk==0.1.0b7", "datature==1.12.2")

#: The client that the Annotell source is compared with, and what it needs: it knows neither pydantic 2 nor
#: later releases of authlib, and no pip from 24.1 on reads the metadata of its dependencies.
ANNOTELL = ("annotell-input-api==1.3.1", "pydantic<2", "authlib<1.1")
ANNOTELL_PIP = "pip<24.1"

#: The emulator of Azure's blob storage that buckets there are proved with; the other servers come from PyPI.
AZURITE = "azurite@3.35.0"

#: Programs that accept our archives, check our units, rehearse our image and show our page; their Debian packages.
PROGRAMS = {
    "unzip": "unzip", "zip": "zip", "7z": "p7zip-full", "bsdtar": "libarchive-tools",
    "bwrap": "bubblewrap", "systemd-analyze": "systemd", "chromium": "chromium", "pgbouncer": "pgbouncer",
}  # fmt: skip

#: The Debian package that the checker of alert rules is taken from; the server in it is not installed.
PROMTOOL = "prometheus"

#: The database server that states are proved with. Debian keeps its programs out of the way, one folder a version.
POSTGRES = "postgresql"
POSTGRES_SERVERS = "usr/lib/postgresql/*/bin/postgres"


def say(text: str) -> None:
    """Print a step at once, also into a pipe."""
    print(f"==> {text}", flush=True)


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> None:
    """Run a command; leave with its code if it fails."""
    result = subprocess.run([str(part) for part in command], check=False, cwd=cwd, env={**os.environ, **environment})
    if result.returncode:
        sys.exit(f"failed with {result.returncode}: {' '.join(str(part) for part in command)}")


def install_debian(*packages: str) -> None:
    """Install Debian packages as root; else say what to run."""
    command = f"apt-get install -y {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"missing on this machine: {' '.join(packages)}; run: sudo {command}")
    say(command)
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", *packages, DEBIAN_FRONTEND="noninteractive")


def make_venv(folder: Path) -> Path:
    """Make a virtual environment if there is none; return its Python."""
    python = folder / "bin" / "python"
    # pip comes last: without it an earlier attempt was cut short.
    if (folder / "bin" / "pip").exists():
        return python
    try:
        import ensurepip  # noqa: F401, PLC0415  # Debian ships it in a package of its own
    except ImportError:
        install_debian(f"python3.{sys.version_info.minor}-venv")
    say(f"virtual environment {folder}")
    run(sys.executable, "-m", "venv", folder)
    return python


def install_once(python: Path, marker: Path, words: tuple[str, ...]) -> None:
    """Run `pip install` with these words, unless the marker says that it was done."""
    inputs = [ROOT / "pyproject.toml", ROOT / "tests" / "constraints.txt"]
    stamp = "\n".join([*words, *(path.read_text() for path in inputs)])
    if marker.exists() and marker.read_text() == stamp:
        return
    say("pip install " + " ".join(words))
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words)
    marker.write_text(stamp)


def make_environment(what: Sequence[str], program: str = "python", *, pip: str = "", note: str = "once") -> Path:
    """Make an environment in the cache folder with these packages, if there is none; return one of its programs."""
    folder = CACHE / what[0].replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    python, marker = make_venv(folder), folder / "installed"
    stamp = "\n".join([*what, pip])
    if not marker.exists() or marker.read_text() != stamp:
        say(f"pip install {' '.join(what)} ({note})")
        install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        if pip:
            run(*install, pip)
        run(*install, *what)
        marker.write_text(stamp)
    return folder / "bin" / program


def install_azurite(folder: Path) -> None:
    """Install the Azure emulator into a folder, unless it is there."""
    marker = folder / "installed"
    if marker.exists() and marker.read_text() == AZURITE:
        return
    if shutil.which("npm") is None:
        install_debian("npm")
    say(f"npm install {AZURITE} (once)")
    folder.mkdir(parents=True, exist_ok=True)
    run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", AZURITE)
    marker.write_text(AZURITE)


def unpack_promtool(folder: Path) -> None:
    """Take the checker of alert rules out of Debian's package, unless it is there or installed."""
    marker = folder / "installed"
    if shutil.which("promtool") or marker.exists():
        return
    if shutil.which("apt-get") is None:
        sys.exit("missing on this machine: promtool; install Prometheus")
    say(f"promtool of Debian's {PROMTOOL} (20 MB, once)")
    if os.geteuid() == 0:
        run("apt-get", "update", "-qq")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", PROMTOOL, cwd=folder)
    (package,) = folder.glob("*.deb")
    run("dpkg", "-x", package, folder)
    package.unlink()
    marker.write_text(PROMTOOL)


def main() -> None:
    """Set up, then become pytest."""
    if sys.version_info < (3, 11):  # noqa: UP036  # this file is what tells an older Python so
        sys.exit("Python 3.11 or later is needed")
    python = make_venv(VENV)
    constraints = str(ROOT / "tests" / "constraints.txt")
    install_once(python, VENV / "installed", ("--editable", f"{ROOT}[test]", "--constraint", constraints))
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if not list(Path("/").glob(POSTGRES_SERVERS)) and shutil.which("postgres") is None:
        missing.append(POSTGRES)
    if missing:
        install_debian(*missing)
    environment = dict(os.environ)
    if "SYNCER_TEST_LABEL_STUDIO" not in environment:
        server = make_environment((LABEL_STUDIO,), "label-studio", note="1 GB, some minutes, once")
        environment["SYNCER_TEST_LABEL_STUDIO"] = str(server)
    if "SYNCER_TEST_ANNOTELL" not in environment:
        environment["SYNCER_TEST_ANNOTELL"] = str(make_environment(ANNOTELL, pip=ANNOTELL_PIP))
    if "SYNCER_TEST_CLIENTS" not in environment:
        environment["SYNCER_TEST_CLIENTS"] = str(make_environment(CLIENTS))
    environment.setdefault("SYNCER_TEST_CACHE", str(CACHE))
    install_azurite(Path(environment["SYNCER_TEST_CACHE"]) / "azurite")
    unpack_promtool(Path(environment["SYNCER_TEST_CACHE"]) / "prometheus")
    # Hundreds of processes begin in the tests: each would compile the package anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    os.chdir(ROOT)
    # All of them side by side, file by file: half of the time is spent on waiting for servers and processes.
    words = sys.argv[1:] or ["--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    os.execve(python, [str(python), "-m", "pytest", *words], environment)  # noqa: S606  # pytest, in our own environment


if __name__ == "__main__":
    main()
