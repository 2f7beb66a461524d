"""PgBouncer in front of a server: a process of its own on a free port of 127.0.0.1, stopped by pid."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.buckets import free_ports
from tests.support.postgres import PASSWORD, USER, Postgres

#: Debian keeps it where only root looks.
_PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])

_PATIENCE = 60.0


@contextmanager
def pgbouncer(server: Postgres, mode: str) -> Iterator[int]:
    """Pool the connections to a server in one of the pooler's modes; yield its port."""
    program = shutil.which("pgbouncer", path=_PLACES)
    assert program is not None, "PgBouncer is missing: apt-get install pgbouncer"
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="syncer-pgbouncer-") as name:
        folder = Path(name)
        # Like the server, it refuses to run as root.
        folder.chmod(0o755)
        (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        (folder / "ini").write_text(
            f"[databases]\nsyncer = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\npool_mode = {mode}\nauth_type = scram-sha-256\n"
            f"auth_file = {folder / 'users'}\n"
        )
        with subprocess.Popen(
            [program, "-q", str(folder / "ini")], user=server.user, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            try:
                until = time.monotonic() + _PATIENCE
                while not _listens(port):
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < until
                    time.sleep(0.02)
                yield port
            finally:
                process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as plug:
        return plug.connect_ex(("127.0.0.1", port)) == 0
