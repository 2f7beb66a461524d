"""A connection that listens and asks, in a thread of its own: what is asked is done in order, what is heard is told.

LISTEN needs a session that stays, and a client library whose connection is busy while it waits for news. So the thread
waits for two things itself, its connection and a socket that wakes it up, and uses the connection for either.
"""

import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

import psycopg

from syncer.model.errors import NotNow, SyncerError
from syncer.state.postgres.connecting import connect
from syncer.state.postgres.faults import explained
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import Connection

T = TypeVar("T")

#: Seconds between attempts to reach a server that is away: the first, and the longest.
_FIRST, _LONGEST = 0.2, 5.0
#: Milliseconds that a statement may take, and wait for a lock: others wait for what is asked here.
_STATEMENT, _LOCK = "5000", "2000"


class Line:
    """A line to a database. While it is away, whatever is asked fails at once with `NotNow`."""

    def __init__(self, target: Target, channel: str, heard: Callable[[str], None], back: Callable[[], None]) -> None:
        """Take where it is, what to listen to, and whom to tell, in the thread: of news, and of a new connection."""
        self._target = target
        self._channel = channel
        self._heard = heard
        self._back = back
        self._asked: deque[Callable[[Connection | None], None]] = deque()
        self._here, self._there = socket.socketpair()
        self._here.settimeout(0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="syncer-quotas", daemon=True)
        self._thread.start()

    def ask(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Do something on the connection, after what was asked before."""
        future: Future[T] = Future()

        def answer(connection: Connection | None) -> None:
            if not future.set_running_or_notify_cancel():
                return
            if connection is None:
                future.set_exception(NotNow(f"the state {self._target.shown} is away"))
                return
            try:
                future.set_result(work(connection))
            except psycopg.Error as error:
                future.set_exception(explained(error, self._target))
            except BaseException as error:  # noqa: BLE001  # it is the caller's
                future.set_exception(error)

        self._asked.append(answer)
        self._wake()
        return future

    def close(self) -> None:
        """Do what was asked, as far as the server is there, and give the connection back. Blocks."""
        self._stop.set()
        self._wake()
        self._thread.join()
        self._here.close()
        self._there.close()

    def _wake(self) -> None:
        # A full buffer wakes it up as well.
        with suppress(BlockingIOError):
            self._here.send(b"!")

    def _serve(self) -> None:
        pause = _FIRST
        while not self._stop.is_set():
            try:
                connection = self._connected()
            except (SyncerError, psycopg.Error):
                # Whoever asks is told so, and goes on alone; whatever is wrong, it may be mended.
                self._answer(None)
                self._wait(None, pause)
                pause = min(2 * pause, _LONGEST)
                continue
            pause = _FIRST
            self._back()
            try:
                self._converse(connection)
            finally:
                connection.close()
        self._answer(None)

    def _connected(self) -> Connection:
        connection = connect(self._target, seconds=0, stop=self._stop)
        try:
            # What is written here is outdated in seconds: nobody has to wait for the disk.
            connection.execute(
                "SELECT set_config('synchronous_commit', 'off', false), set_config('statement_timeout', $1, false),"
                " set_config('lock_timeout', $2, false)",
                (_STATEMENT, _LOCK),
            )
            connection.execute(f'LISTEN "{self._channel}"')
        except BaseException:
            connection.close()
            raise
        connection.add_notify_handler(lambda notice: self._heard(notice.payload))
        return connection

    def _converse(self, connection: Connection) -> None:
        """Answer and listen until the connection breaks, or it is time to go."""
        while True:
            self._answer(connection)
            if self._stop.is_set() or not self._wait(connection, None):
                return

    def _answer(self, connection: Connection | None) -> None:
        while self._asked:
            self._asked.popleft()(None if connection is None or connection.closed else connection)

    def _wait(self, connection: Connection | None, seconds: float | None) -> bool:
        """Wait for a question or for news; tell whether the connection is still good."""
        ready = select.poll()
        ready.register(self._there, select.POLLIN)
        if connection is not None:
            if connection.closed:
                return False
            ready.register(connection, select.POLLIN)
        woken = {number for number, _ in ready.poll(None if seconds is None else 1000 * seconds)}
        if self._there.fileno() in woken:
            self._there.recv(4096)
        if connection is None or connection.fileno() not in woken:
            return True
        try:
            connection.pgconn.consume_input()
            while (notice := connection.pgconn.notifies()) is not None:
                self._heard(notice.extra.decode())
        except psycopg.Error:
            return False
        return True
