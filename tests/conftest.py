"""What holds for every test: no blocking call on the event loop, reproducible examples, a quiet environment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings

from syncer.net import redact
from tests.support.buckets import Server, azurite, gcs, moto, seaweed
from tests.support.postgres import Postgres, postgres

settings.register_profile(
    "default",
    max_examples=30,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", parent=settings.get_profile("default"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

#: Calls that may block, by the end of the file that makes them: (file, functions). Each with its reason.
ALLOWED = (
    # Source lines for a traceback or a warning: something went wrong already, and nobody waits for speed.
    ("linecache.py", {"updatecache", "checkcache"}),
    # A command imports what it needs when it is called, once; this one looks where it is.
    ("rich/__init__.py", {"<module>"}),
    # A loop of its own, in a thread of its own, for nothing but reading files.
    ("blobs/multipart.py", {"read_once"}),
)

#: Beginnings of the names of variables that the tool, or a client of it, would read.
OWN = (
    "SYNCER_", "LABEL_STUDIO_", "KOGNIC_", "ANNOTELL_", "CLARIFAI_", "DATATURE_",
    "AWS_", "AZURE_", "GOOGLE_", "PG", "STORAGE_EMULATOR_", "IDENTITY_", "MSI_",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """Turn a blocking call that `syncer` makes on the event loop into an error; tests themselves may use files."""
    guard = BlockBuster("syncer")
    for function in guard.functions.values():
        for file, names in ALLOWED:
            function.can_block_in(file, names)
    guard.activate()
    try:
        yield guard
    finally:
        guard.deactivate()


@pytest.fixture(scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that stands for ~/.local/state."""
    return tmp_path_factory.mktemp("state-home")


@pytest.fixture(scope="session")
def seaweed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run an S3 server for this session."""
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run another S3 server, as a second opinion."""
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run an Azure Blob Storage server."""
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Run a PostgreSQL server that does not wait for the disk."""
    with postgres("fsync=off") as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Google Cloud Storage server."""
    with gcs(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the credentials of other tests: in the tool a process has one set of them, and masks them everywhere."""
    monkeypatch.setattr(redact, "_secrets", {})
    monkeypatch.setattr(redact, "_known", None)


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, state_home: Path) -> None:
    """Keep the settings, proxies, credentials and state of whoever runs the tests out of them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(state_home))
    for name in list(os.environ):
        if name.upper().startswith(OWN) and not name.startswith("SYNCER_TEST_"):
            monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "JOB_COMPLETION_INDEX", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
