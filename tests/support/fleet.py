"""A fleet of real worker processes in front of a real database, and the means to hurt it."""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from syncer.demo.platform.process import Remote
from syncer.model.errors import Exit
from tests.support.command import command, environment
from tests.support.postgres import Postgres

CONFIG = """
state: {state}
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}, page_size: 50}}
sinks:
  folder: {{type: prefix, url: file:labels}}
jobs:
  job: {{platform: studio, select: {{projects: ["*"]}}, sinks: [folder]{job}}}
fleet: {{heartbeat: {heartbeat}s, silent_after: {silent}s, tick: 1s, manifest_every: 1s}}
serve: {{ops: {{address: 127.0.0.1, port: 0}}}}
"""

#: Seconds that anything of a fleet may take on a machine that does much else.
PATIENCE = 900.0


@dataclass(slots=True)
class Member:
    """One worker process."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def said(self) -> list[dict[str, Any]]:
        """Return what it logged."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@dataclass(slots=True)
class Fleet:
    """Workers that share a folder and a database."""

    folder: Path
    server: Postgres
    schema: str
    members: list[Member] = field(default_factory=list)

    def start(self, *words: str) -> Member:
        """Start one more worker."""
        log = self.folder / f"worker-{len(self.members)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command("worker", "--log-format", "json", *words), cwd=self.folder, env=environment(self.folder),
                stdout=out, stderr=out,
            )  # fmt: skip
        member = Member(process, log)
        self.members.append(member)
        return member

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none before the first worker made the tables, or while the server is away."""
        try:
            with self.server.connect(self.schema) as connection:
                return list(connection.execute(query, values).fetchall())
        except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
            return []

    def name_of(self, member: Member) -> str:
        """Return how rows name a worker, as soon as it has a row."""
        found: list[tuple[Any, ...]] = []

        def known() -> bool:
            found[:] = self.ask("SELECT id FROM fleet_workers WHERE pid = %s", member.pid)
            return bool(found)

        wait_for(known, member)
        return str(found[0][0])

    def running(self, name: str) -> list[int]:
        """Return the numbers of the units that a worker has."""
        rows = self.ask("SELECT number FROM fleet_units WHERE worker = %s AND state = 'running'", name)
        return [row[0] for row in rows]

    def counted(self) -> int:
        """Return how many items the units' accounts hold so far."""
        rows = self.ask("SELECT sum(CAST(CAST(counts AS json) ->> 'stored' AS bigint)) FROM fleet_units")
        return sum(int(row[0] or 0) for row in rows)

    def ends(self) -> list[dict[str, Any]]:
        """Return how often, and how, workers say that a run ended."""
        return [line for member in self.members for line in member.said() if line["event"] == "run ended"]

    def stop(self) -> list[int]:
        """Stop all workers that live; return how all of them ended."""
        for member in self.members:
            if member.process.poll() is None:
                os.kill(member.pid, signal.SIGCONT)
                member.process.terminate()
        return [member.process.wait(PATIENCE) for member in self.members]


@contextmanager
def fleet(
    folder: Path, platform: Remote, server: Postgres, schema: str, *, url: str = "", heartbeat: float = 0.5,
    silent: float = 2.0, job: str = "",
) -> Iterator[Fleet]:  # fmt: skip
    """Prepare a folder for workers; whatever is left of them at the end is killed."""
    configure(folder, platform, url or server.url(schema, lease=silent), heartbeat=heartbeat, silent=silent, job=job)
    this = Fleet(folder, server, schema)
    try:
        yield this
    finally:
        for member in this.members:
            if member.process.poll() is None:
                member.process.kill()
                member.process.wait()


def configure(
    folder: Path, platform: Remote, state: str, *, heartbeat: float = 0.5, silent: float = 2.0, job: str = ""
) -> Path:
    """Write the configuration that a fleet, and a process on its own, work with."""
    folder.mkdir(exist_ok=True)
    (folder / "syncer.yaml").write_text(
        CONFIG.format(state=state, url=platform.url, token=platform.token, heartbeat=heartbeat, silent=silent, job=job)
    )
    return folder


def wait_for(true: Callable[[], bool], *members: Member, patience: float = PATIENCE) -> float:
    """Wait until something is so; return how long that took. These workers must not end before."""
    began = time.monotonic()
    while not true():
        for member in members:
            assert member.process.poll() is None, member.log.read_text()
        assert time.monotonic() - began < patience, [member.log.read_text()[-2000:] for member in members]
        # A question opens a connection of its own, which costs the server more than the answer.
        time.sleep(0.05)
    return time.monotonic() - began


def told_twice(folder: Path) -> dict[str, int]:
    """Return keys that the segments which HEAD names put more than once."""
    manifest = folder / "labels" / "_manifest" / "job"
    head = json.loads((manifest / "HEAD.json").read_text())
    puts: Counter[str] = Counter()
    for segment in head["segments"]:
        for line in (manifest / segment["name"]).read_text().splitlines()[1:]:
            row = json.loads(line)
            if row["op"] == "put":
                puts[json.dumps(row["key"])] += 1
    return {key: count for key, count in puts.items() if count > 1}


def finished(process: "subprocess.Popen[bytes]", words: Sequence[int] = (0,)) -> None:
    """Wait for a command that was started, and check how it ended."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode in words, (process.returncode, errors.decode())


@contextmanager
def supervised(workers: Fleet) -> Iterator[list[Member]]:
    """Start a worker anew whenever one ends with 1 or 75, as Kubernetes and systemd do; gives those that ended so."""
    over = threading.Event()
    lost: list[Member] = []

    def watch() -> None:
        while not over.wait(0.1):
            for member in list(workers.members):
                if member not in lost and member.process.poll() in {Exit.BUG, Exit.NOT_NOW}:
                    lost.append(member)
                    workers.start()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()
