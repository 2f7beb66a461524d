"""A real PostgreSQL server on a free port of 127.0.0.1: started once a test session, restarted at will, stopped by pid.

It refuses to run as root; where the tests do, it runs as the user that Debian's package made for it. Texts of the
database sort as people sort them, so that nothing of ours can rely on their order by accident.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.support.buckets import free_ports

#: Seconds that the server may take to start or to stop, on a machine that does much else.
_PATIENCE = 90.0

PASSWORD = "wrenches-and-bolts"
USER = "syncer"


@dataclass(slots=True)
class Postgres:
    """A server of our own."""

    folder: Path
    port: int
    settings: tuple[str, ...]
    user: str | None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, schema: str = "", *, user: str = USER, password: str = PASSWORD, lease: float = 0) -> str:
        """Return the URL of a state; each schema is a state of its own."""
        words = [f"schema={schema}"] if schema else []
        words += [f"lease={lease}"] if lease else []
        query = f"?{'&'.join(words)}" if words else ""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/syncer{query}"

    def connect(self, schema: str = "") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection beside those of the tool, as the owner of everything."""
        connection = psycopg.connect(
            host="127.0.0.1", port=self.port, dbname="syncer", user="postgres", password=PASSWORD, autocommit=True
        )
        if schema:
            connection.execute("SELECT set_config('search_path', %s, false)", (schema,))
        return connection

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Yield the name of a schema that nobody uses, and drop what was made there."""
        name = f"t{uuid.uuid4().hex[:12]}"
        yield name
        with self.connect() as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')

    @contextmanager
    def emptied(self) -> Iterator[str]:
        """Yield the name of a schema that many use in turn, and empty its tables: quicker than a new one."""
        name = "in_turn"
        yield name
        with self.connect(name) as connection:
            tables = connection.execute(
                "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = %s"
                " AND tablename NOT IN ('meta', 'migrations', 'engine_migrations')",
                (name,),
            ).fetchone()
            if tables is not None and tables[0] is not None:
                connection.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY")

    def start(self) -> None:
        """Start, and wait until it answers."""
        words = [program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
                 *(word for setting in self.settings for word in ("-c", setting))]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, user=self.user, cwd=self.folder)
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(
                    host="127.0.0.1", port=self.port, dbname="postgres", user="postgres", password=PASSWORD
                ).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT ends sessions in order, SIGQUIT leaves the rest to crash recovery."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_PATIENCE)
            self.process = None


def program(name: str) -> str:
    """Return the path of a program of the newest installed server."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True
    )
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    assert found is not None, "PostgreSQL is missing: apt-get install postgresql"
    return found


@contextmanager
def postgres(*settings: str) -> Iterator[Postgres]:
    """Run a server with a database `syncer` and a user of that name; its files go with it."""
    # Not pytest's folder: the server's user may not look into that of root.
    with tempfile.TemporaryDirectory(prefix="syncer-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        words = [program("initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "scram-sha-256", "--no-sync",
                 "--encoding=UTF8", "--locale=C.UTF-8", "--pwfile", str(secret)]  # fmt: skip
        subprocess.run(words, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        (port,) = free_ports(1)
        server = Postgres(
            folder, port, ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *settings), user
        )
        try:
            server.start()
            with psycopg.connect(
                host="127.0.0.1", port=port, dbname="postgres", user="postgres", password=PASSWORD, autocommit=True
            ) as connection:
                connection.execute(f"CREATE USER {USER} PASSWORD '{PASSWORD}'")
                connection.execute(
                    f"CREATE DATABASE syncer OWNER {USER} TEMPLATE template0 ENCODING 'UTF8'"
                    " LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
                )
            yield server
        finally:
            server.stop()
