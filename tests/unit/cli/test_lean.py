"""A run loads what it uses, and nothing for others: the memory of a process is mostly its modules."""

import json
import subprocess
import sys
from pathlib import Path

from tests.emulators.link_process import link_process
from tests.support.command import environment
from tests.support.link_run import prepare

#: What a plain run, of an http platform into archives and folders, has no use for: packages with all that is in them.
NEVER = {
    "aiobotocore", "aiohttp.web", "boto3", "botocore", "frozenlist._frozenlist", "google", "greenlet", "grpc",
    "jsonschema", "keyring", "obstore", "opentelemetry", "procrastinate", "prometheus_client", "psycopg", "pyarrow",
    "pygments", "requests", "rich", "zstandard",
    "syncer.blobs.clouds", "syncer.blobs.multipart", "syncer.blobs.objects", "syncer.demo", "syncer.fleet",
    "syncer.observe.live", "syncer.observe.metrics", "syncer.serve", "syncer.sinks.reading", "syncer.sinks.tables",
    "syncer.sources", "syncer.state.postgres.database",
}  # fmt: skip

#: Ends with what was loaded, and with how many authorities the contexts have that the HTTP library makes for itself.
CODE = """
import json, sys
from syncer.cli import main
code = main(["sync", "-q", "--progress", "none", "--log-format", "json", "-o", "json"])
import aiohttp.connector as theirs
known = [each.cert_store_stats()["x509_ca"] for each in (theirs._SSL_CONTEXT_VERIFIED, theirs._SSL_CONTEXT_UNVERIFIED)]
json.dump({"code": code, "modules": sorted(sys.modules), "authorities": known}, open("loaded.json", "w"))
"""


def test_a_plain_run_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    """Into an archive and a folder: no rich, no cloud, no other platform, no authorities without TLS."""
    with link_process("--items", "3", "--size", "100") as platform:
        env = environment(tmp_path, prepare(tmp_path, platform))
        done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "loaded.json").read_text())
    assert found["code"] == 0, done.stderr
    names = {name: {name[: dot or None] for dot in _dots(name)} for name in found["modules"]}
    assert {"syncer.flow.run", "syncer.sinks.archive", "syncer.sinks.prefix", "sqlite3"} <= names.keys()
    assert sorted(name for name, parts in names.items() if parts & NEVER) == []
    assert found["authorities"] == [0, 0]


def _dots(name: str) -> list[int]:
    """Return where a module's name ends, and those of the packages that it is in."""
    return [0, *(at for at, character in enumerate(name) if character == ".")]
