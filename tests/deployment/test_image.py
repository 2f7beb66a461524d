"""The image: its Dockerfile linted, its steps rehearsed without an engine, and the tool run in what they leave."""

import json
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import syncer
from syncer.settings.daemon import DaemonOptions, OpsOptions
from tests.support.commands import parsed
from tests.support.dockerfile import instructions, sent, stages
from tests.support.programs import program, said
from tests.support.rehearsal import Container, build
from tests.support.tree import ROOT

DOCKERFILE = ROOT / "Dockerfile"
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: Labels of the Open Container Initiative, and what a linter takes their values for.
LABELS = {"title": "text", "description": "text", "version": "semver", "licenses": "spdx", "base.name": "text",
          "revision": "text", "created": "text"}  # fmt: skip

#: Extras that the image does without: what only tests need, and what only a desktop has.
LEFT_OUT = {"test", "keyring"}

#: A daemon whose platform is away: alive all the same.
SETTINGS = """
state: sqlite:state.db
platforms: {studio: {type: label_studio, url: "http://127.0.0.1:1", token: env:LABEL_STUDIO_API_KEY}}
sinks: {lake: {type: prefix, url: file:lake}}
jobs: {street: {platform: studio, select: {projects: ["7"]}, sinks: [lake], schedule: {every: 1h}}}
"""

#: Starts a command, waits until another one is content with it, reads what it counts, and asks it to end.
STARTS = """
import http.client, json, subprocess, sys, time
command, check = json.loads(sys.argv[1]), json.loads(sys.argv[2])
process = subprocess.Popen(command)
while process.poll() is None and subprocess.run(check, stderr=subprocess.DEVNULL).returncode:
    time.sleep(0.1)
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[3]))
connection.request("GET", "/metrics")
print(connection.getresponse().read().decode())
process.terminate()
sys.exit(process.wait())
"""

#: A server that answers as the daemon's probes do, and then a command that asks it.
ANSWERS = """
import subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
class Probe(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]) if self.path == "/livez" else 404)
        self.end_headers()
    def log_message(self, *words): pass
server = HTTPServer(("127.0.0.1", int(sys.argv[2])), Probe)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(sys.argv[3:]).returncode)
"""


def test_the_dockerfile_is_linted() -> None:
    """The linter has nothing to say, not in the least, and the labels are what they should look like."""
    labels = [f"--require-label=org.opencontainers.image.{name}:{kind}" for name, kind in LABELS.items()]
    assert said("hadolint", "--strict-labels", *labels, "--failure-threshold=style", DOCKERFILE) == ""


def test_the_linter_finds_mistakes(tmp_path: Path) -> None:
    """A command in shell form is named."""
    bad = tmp_path / "Dockerfile"
    bad.write_text(re.sub(r"(?m)^ENTRYPOINT .*$", "ENTRYPOINT syncer", DOCKERFILE.read_text("utf-8")), "utf-8")
    done = subprocess.run([program("hadolint"), bad], capture_output=True, text=True, check=False)
    assert (done.returncode, "DL3025" in done.stdout) == (1, True)


def test_the_image_runs_as_nobody_special() -> None:
    """Two stages of the oldest supported Python, no shell, nothing run in the last one, a user by number."""
    build_stage, last = stages(DOCKERFILE)
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert build_stage.origin == last.origin == f"python:{oldest}-slim"
    for each in instructions(DOCKERFILE):
        if each.word in {"RUN", "ENTRYPOINT", "CMD"}:
            assert all(isinstance(word, str) for word in each.words())
    assert "RUN" not in {each.word for each in last.instructions}
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last.last("USER").rest)
    assert last.last("ENTRYPOINT").words() == ["syncer"]


def test_the_image_is_built_from_what_is_sent() -> None:
    """Each file that the image copies exists and is let through by `.dockerignore`, and all that it needs is there."""
    copied = {
        name
        for each in instructions(DOCKERFILE)
        if each.word == "COPY" and "from" not in each.flags
        for name in each.words()[:-1]
    }
    assert copied == sent(ROOT)
    assert all((ROOT / name).exists() for name in copied)
    assert {"syncer", "pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]} <= copied


def test_the_image_has_every_extra() -> None:
    """All that can be of use in a container is installed: nobody has to build an image of their own for a bucket."""
    installs = [each.words() for each in instructions(DOCKERFILE) if each.word == "RUN" and "install" in each.words()]
    ((*_, package),) = installs
    extras = re.fullmatch(r"/src\[([\w,]+)\]", package)
    assert extras is not None
    assert set(extras[1].split(",")) == PROJECT["optional-dependencies"].keys() - LEFT_OUT


def test_the_image_says_what_it_is() -> None:
    """Its labels name this release, its licence, and the image below it; commit and date come with the build."""
    last = stages(DOCKERFILE)[-1]
    found = last.pairs("LABEL", {})
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in found.items()}
    assert labels == {
        "title": "syncer", "description": PROJECT["description"], "version": syncer.__version__,
        "licenses": PROJECT["license"], "base.name": f"docker.io/library/{last.origin}", "revision": "", "created": "",
    }  # fmt: skip
    text = DOCKERFILE.read_text("utf-8")
    assert set(re.findall(r"annotation-syncer:([\w.]+)", text)) == {syncer.__version__}
    assert set(re.findall(r"--build-arg (\w+)=", text)) == {"PYTHON", "REVISION", "CREATED"}
    assert last.last("EXPOSE").rest == str(OpsOptions().port)


def test_the_image_is_run_as_said() -> None:
    """What the comments start are commands: a pass, and the daemon with the time that it takes to stop."""
    told = re.findall(r"annotation-syncer:[\w.]+ (\w+)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert told == ["sync", "daemon"]
    for command in told:
        parsed(["syncer", command])
    (patience,) = re.findall(r"--stop-timeout (\d+)", DOCKERFILE.read_text("utf-8"))
    assert int(patience) >= 2 * DaemonOptions().grace


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Return what the Dockerfile leaves: done once, step by step."""
    container, _ = build(ROOT, tmp_path_factory.mktemp("image"))
    return container


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_runs_the_demo(image: Container, tmp_path: Path) -> None:
    """As nobody special, on a root that can't be written to, without a network, the whole tool is at work."""
    entry = stages(DOCKERFILE)[-1].last("ENTRYPOINT").words()
    ended = image.run([*entry, "demo", "/work/demo"], "--bind", str(tmp_path), "/work")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "demo" / "archive" / "labels.zip").stat().st_size > 0
    version = image.run([*entry, "--version"])
    assert version.stdout.strip().endswith(syncer.__version__), version.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_runs_the_daemon(image: Container, tmp_path: Path) -> None:
    """With a disk for its state and nothing else it starts, is well, shows its metrics, and ends when asked to."""
    (tmp_path / "syncer.yaml").write_text(SETTINGS, "utf-8")
    last = stages(DOCKERFILE)[-1]
    command = [*last.last("ENTRYPOINT").words(), "daemon"]
    words = ["python", "-c", STARTS, json.dumps(command), json.dumps(last.healthcheck()), str(OpsOptions().port)]
    ended = image.run(words, "--bind", str(tmp_path), "/work", "--setenv", "LABEL_STUDIO_API_KEY", "secret")
    assert ended.returncode == 0, ended.stderr
    assert f'syncer_build_info{{version="{syncer.__version__}"}} 1' in ended.stdout
    assert 'syncer_owed_items{sync_job="street"} 0' in ended.stdout
    assert (tmp_path / "state.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_can_change_nothing(image: Container) -> None:
    """No place but /tmp takes a file, the user is the one that was named, and there is nothing to install with."""
    code = "import os\nprint(os.getuid(), os.getgid(), os.getcwd(), os.environ['HOME'])\n"
    ended = image.run(["python", "-c", code])
    assert ended.stdout.split() == ["10001", "10001", "/work", "/var/lib/syncer"]
    for place in ("/opt/syncer/x", "/work/x", "/var/lib/syncer/x", "/x"):
        assert "Read-only file system" in image.run(["python", "-c", f"open({place!r}, 'w')"]).stderr
    assert image.run(["python", "-c", "open('/tmp/x', 'w')"]).returncode == 0
    assert "No module named pip" in image.run(["python", "-m", "pip", "--version"]).stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_tells_whether_it_is_well(image: Container) -> None:
    """The check of a container's health asks the daemon's probe: content with 200 alone, also beside a proxy."""
    check = stages(DOCKERFILE)[-1].healthcheck()
    port = str(OpsOptions().port)
    proxy = ("--setenv", "http_proxy", "http://127.0.0.1:1")
    assert image.run(["python", "-c", ANSWERS, "200", port, *check], *proxy).returncode == 0
    assert image.run(["python", "-c", ANSWERS, "503", port, *check]).returncode == 1
    assert image.run(check).returncode == 1
