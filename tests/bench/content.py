"""nginx with the documents of a linking platform: a compiled server, so that clients are what is measured."""

import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.emulators.link import LinkPlatform
from tests.support.buckets import free_ports

#: nginx takes its time with the module that Debian puts into `nginx-light`; without latency nothing of it is used.
_CONFIGURATION = """\
load_module modules/ngx_http_echo_module.so;
daemon off;
pid nginx.pid;
error_log error.log;
worker_processes 1;
worker_rlimit_nofile 65536;
events {{ worker_connections 4096; }}
http {{
  log_format status '$status $msec';
  access_log {log};
  {limit}
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 600;
  default_type application/json;
  open_file_cache max={kept} inactive=3600s;
  open_file_cache_valid 3600s;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root documents;
    {limited}
    {locations}
  }}
}}
"""
_AT_ONCE = "location /c/ { }"
_LATE = (
    "location ~ ^/c/(.*)$ {{ echo_sleep {latency}; echo_exec /stored/$1; }} location /stored/ {{ alias documents/c/; }}"
)
#: As quotas work: spaced, a tenth of a second may come at once, the rest is refused with the time to wait.
_LIMIT = "limit_req_zone $server_port zone=all:1m rate={rate}r/s; limit_req_status 429;"
_LIMITED = """\
limit_req zone=all burst={burst} nodelay;
    error_page 429 @slower;
    location @slower {{ add_header Retry-After 1 always; return 429; }}"""

#: Seconds that the server may take until it answers.
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Content:
    """A server, and what it has."""

    url: str
    latency: float
    log: Path

    def answered(self) -> Counter[str]:
        """Return how many answers had which status; a counted server's only."""
        return Counter(line.partition(" ")[0] for line in self.log.read_text().splitlines())

    def span(self) -> float:
        """Return the seconds between the first and the last answer that clients got; a counted server's only."""
        # The first line is of our own look whether the server is there.
        times = [float(line.partition(" ")[2]) for line in self.log.read_text().splitlines()[1:]]
        return times[-1] - times[0] if times else 0.0

    def alone(self, seconds: float = 3.0, connections: int = 64) -> float:
        """Return the requests a second that it answers to a compiled client: how fast the server is alone."""
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}", f"{self.url}/c/0000001"]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        found = re.search(r"Requests/sec:\s+([\d.]+)", said)
        assert found is not None, said
        assert "Non-2xx" not in said, said
        return float(found[1])


def write_documents(folder: Path, items: int, size: int) -> None:
    """Write the documents of a linking platform with so many items: a file each, below the names of their links."""
    platform, below = LinkPlatform(items, size), folder / "c"
    below.mkdir(parents=True)
    for item in range(items):
        (below / f"{item:07d}").write_bytes(platform.body(item))


@contextmanager
def documents(items: int, size: int) -> Iterator[Path]:
    """Write documents into memory where the machine has a place for that, else to disk; they go at the end."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder with a random name in it
    with tempfile.TemporaryDirectory(prefix="bench-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        # Its workers may have a user of their own.
        folder.chmod(0o755)
        write_documents(folder, items, size)
        yield folder


@contextmanager
def content(stored: Path, latency: float, *, rate: int = 0, counted: bool = False) -> Iterator[Content]:
    """Serve documents until the block ends, each answer late by `latency` seconds, so many a second if told."""
    program = shutil.which("nginx")
    assert program is not None, "nginx is missing: apt-get install nginx-light"
    (port,) = free_ports(1)
    locations = _LATE.format(latency=f"{latency:g}") if latency else _AT_ONCE
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        text = _CONFIGURATION.format(
            port=port,
            kept=min(200_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] * 3 // 4),
            locations=locations,
            log="access.log status" if counted else "off",
            limit=_LIMIT.format(rate=rate) if rate else "",
            limited=_LIMITED.format(burst=max(1, rate // 10)) if rate else "",
        ).replace("documents", str(stored))
        (folder / "nginx.conf").write_text(text.replace("modules/", "/usr/lib/nginx/modules/"))
        words = [program, "-p", name, "-c", "nginx.conf", "-e", "error.log"]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(process, f"{url}/c/0000001", folder)
                yield Content(url, latency, folder / "access.log")
            finally:
                process.terminate()


def _wait(process: "subprocess.Popen[bytes]", url: str, folder: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            with urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310  # our own server
                assert answer.read()
        except URLError as error:
            if process.poll() is not None or time.monotonic() > end:
                said = (folder / "error.log").read_text() if (folder / "error.log").exists() else ""
                raise RuntimeError(f"nginx does not serve {url}\n{said}") from error
            time.sleep(0.02)
        else:
            return
