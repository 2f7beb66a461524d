"""The contestants: `syncer`, and what people would use instead, each tuned as its own documentation says.

All of them fetch the same documents from one nginx. `rclone` and `aria2c` can't read a platform's listing, so they
get a ready-made list of links; the vendors' clients know only their own platforms, which run emulated, with documents
of the same size, and `syncer` beside them.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.bench.environments import Field
from tests.bench.figures import Work
from tests.emulators.kognic import Remote
from tests.emulators.link_process import RemoteLink
from tests.support.buckets import Server
from tests.support.command import command, environment
from tests.support.link_run import ROOT, prepare
from tests.support.measured import Cost, measured

#: Requests in flight, of all contestants that are told; `syncer` finds out by itself, but for one that is held there.
IN_FLIGHT = 64
HELD = f"syncer to zip, {IN_FLIGHT} at most"

SCRIPTS = Path(__file__).resolve().parent / "contestants"


@dataclass(frozen=True, slots=True)
class Scene:
    """What one workload has to offer."""

    programs: Field
    platform: RemoteLink
    items: int
    #: A platform with fewer items, for contestants that would need minutes.
    small: RemoteLink
    few: int
    bucket: Server | None
    #: Seconds after which a serial loop stops; its rate is what it got done.
    patience: float


def syncer(words: Sequence[str], prepared: Callable[[Path], Mapping[str, str]], items: int) -> Work:
    """Return a run of `syncer` in a folder that is prepared before."""

    def work(folder: Path) -> tuple[int, float, Cost]:
        env = environment(folder, prepared(folder))
        cost = measured(command(*words, "-o", "json", "-q"), cwd=folder, env=env)
        (report,) = cost.json()
        assert report["counts"]["stored"] == items, report
        started, ended = (datetime.fromisoformat(report[name]) for name in ("started", "ended"))
        return items, (ended - started).total_seconds(), cost

    return work


def program(words: Sequence[str | Path], least: int = 1) -> Work:
    """Return a program whose last line says what it did, and in which time."""

    def work(folder: Path) -> tuple[int, float, Cost]:
        cost = measured([str(word) for word in words], cwd=folder, env=environment(folder, {"PYTHONPATH": str(ROOT)}))
        said = json.loads(cost.out.splitlines()[-1])
        assert said["items"] >= least, said
        return said["items"], said["seconds"], cost

    return work


def ours(name: str, *words: object, least: int = 1) -> Work:
    """Return a contestant in the tests' own environment."""
    return program([sys.executable, "-m", "tests.bench.contestants", name, *map(str, words)], least)


def downloader(command_line: Callable[[Path], Sequence[str | Path]], listed: str, items: int) -> Work:
    """Return a program that downloads what a list names into the folder `out`; all of its time is work."""

    def work(folder: Path) -> tuple[int, float, Cost]:
        (folder / "list").write_text(listed)
        cost = measured([str(word) for word in command_line(folder)], cwd=folder, env=environment(folder))
        done = sum(1 for path in (folder / "out").iterdir() if path.suffix != ".aria2")
        assert done == items, f"{done} of {items}"
        return items, cost.wall, cost

    return work


def rclone(scene: Scene) -> Work:
    """Return `rclone copy`: it is told the names, and not to ask for each before it fetches it."""
    words = ["copy", ":http:", "out", "--http-url", f"{scene.platform.content_url}/c", "--http-no-head",
             "--files-from-raw", "list", "--no-traverse", "--no-check-dest", "--transfers", str(IN_FLIGHT),
             "--checkers", str(IN_FLIGHT), "--config", "/dev/null", "-q"]  # fmt: skip
    listed = "".join(f"{item:07d}\n" for item in range(scene.items))
    return downloader(lambda _: [scene.programs.rclone, *words], listed, scene.items)


def aria2c(scene: Scene) -> Work:
    """Return `aria2c` with its list of links; nothing is allocated before, split, or saved for a restart."""
    words = ["aria2c", "-i", "list", "-d", "out", f"-j{IN_FLIGHT}", "-x1", "-s1", "--file-allocation=none",
             "--no-conf", "--quiet", "--summary-interval=0",
             "--auto-save-interval=0", "--auto-file-renaming=false"]  # fmt: skip
    listed = "".join(f"{scene.platform.content_url}/c/{item:07d}\n" for item in range(scene.items))
    return downloader(lambda _: words, listed, scene.items)


def on_links(scene: Scene) -> dict[str, Work]:
    """Return everybody who can read a platform of signed links."""
    at, few = (scene.platform.url, scene.platform.token), (scene.small.url, scene.small.token)

    def prepared(folder: Path, limits: Mapping[str, Any] | None = None) -> dict[str, str]:
        sinks: dict[str, dict[str, object]] = {
            "zip": {"type": "zip", "url": "file:archive", "name": "items.zip"},
            "folder": {"type": "prefix", "url": "file:folder"},
        }
        extra: Mapping[str, str] = {}
        if scene.bucket is not None:
            sinks["s3"] = {"type": "prefix", "url": scene.bucket.url(uuid4().hex), "allow_http": True}
            extra = scene.bucket.environment
        made = prepare(folder, scene.platform, limits=limits, sinks=sinks)
        return {**extra, **made}

    def run(job: str) -> Work:
        return syncer(["sync", job], prepared, scene.items)

    dlt, airbyte = ((scene.programs.dlt, "dlt_pipeline"), (scene.programs.airbyte, "airbyte_source"))
    works = {
        "bare aiohttp": ours("bare", *at, scene.items, least=scene.items),
        "syncer to zip": run("zip"),
        HELD: syncer(["sync", "zip"], partial(prepared, limits={"concurrency": IN_FLIGHT}), scene.items),
        "syncer to folder": run("folder"),
        "syncer to S3": run("s3"),
        "rclone": rclone(scene),
        "aria2c": aria2c(scene),
        **{
            name: program([python, SCRIPTS / f"{script}.py", *few, str(scene.few)], scene.few)
            for name, (python, script) in (("dlt", dlt), ("airbyte-cdk", airbyte))
        },
        "serial loop": ours("serial", *at, scene.items, scene.patience),
    }
    if scene.bucket is None:
        del works["syncer to S3"]
    return works


def on_kognic(platform: Remote, annotations: int, patience: float) -> dict[str, Work]:
    """Return the vendor's client of Kognic, and `syncer` beside it."""
    what = ["--project", platform.project, "--batch", platform.batch, "--annotation-type", platform.type]
    pair = {"KOGNIC_CLIENT_ID": platform.client_id, "KOGNIC_CLIENT_SECRET": platform.client_secret}
    words = ["export", "kognic", *what, "--to", "out.zip", "--set", f"url={platform.url}"]
    return {
        "kognic-io": ours("kognic", platform.url, platform.client_id, platform.client_secret, patience),
        "syncer on Kognic": syncer(words, lambda _: pair, annotations),
    }


def on_label_studio(said: Mapping[str, str], tasks: int, patience: float) -> dict[str, Work]:
    """Return the vendor's client of Label Studio, one by one and by pages, and `syncer` beside it."""
    (project,) = said["projects"]
    where = ["--set", f"url={said['url']}", "--set", f"token={said['token']}"]
    at = (said["url"], said["token"])
    return {
        "label-studio-sdk, one by one": ours("studio_loop", *at, tasks, patience),
        "label-studio-sdk, pages": ours("studio_pages", *at, tasks, patience),
        "syncer on Label Studio": syncer(
            ["export", "label_studio", "--project", project, *where, "--to", "out.zip"], lambda _: {}, tasks
        ),
    }
