"""Notes in SQLite, behind a bounded pool of connections: the usual downstream that more workers do not widen."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_NOTES = 200
MAX_NOTE_LENGTH = 200
TABLE = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL)"


class PoolExhaustedError(Exception):
    """No connection came free within the wait."""


class ConnectionPool:
    """At most `size` SQLite connections in this process; a caller waits `wait_seconds` for one, then is refused."""

    def __init__(self, path: Path, size: int, wait_seconds: float) -> None:
        self.path, self.size, self.wait_seconds = path, size, wait_seconds
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[sqlite3.Connection] = []

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; commits on success, rolls back and drops the connection on any error."""
        if not self._free.acquire(timeout=self.wait_seconds):
            raise PoolExhaustedError(
                f"all {self.size} connections of this worker stayed busy for {self.wait_seconds:g} s"
            )
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = open_database(self.path)
            try:
                with connection:
                    yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle connections; those lent out close when their request fails or the process ends."""
        while self._idle:
            self._idle.pop().close()


class Notes:
    """The notes table, reached through one pool for each process."""

    def __init__(self, path: Path, pool_size: int, pool_wait_seconds: float) -> None:
        self._settings = (path, pool_size, pool_wait_seconds)
        self._pools: dict[int, ConnectionPool] = {}

    @property
    def pool(self) -> ConnectionPool:
        """This process's pool, made on first use.

        SQLite connections must not cross a fork (https://www.sqlite.org/howtocorrupt.html, 2.6), not even to be
        closed, so a worker forked after preload leaves its parent's pool alone and makes its own.
        """
        pool = self._pools.get(os.getpid())
        # setdefault is atomic: two first threads get the same pool, and the spare one has opened nothing.
        return pool or self._pools.setdefault(os.getpid(), ConnectionPool(*self._settings))

    def latest(self, hold_ms: int = 0) -> list[str]:
        """The newest twenty notes, newest first; holds the connection for `hold_ms` as a slow query would."""
        with self.pool.connection() as connection:
            rows = connection.execute("SELECT text FROM notes ORDER BY id DESC LIMIT 20").fetchall()
            time.sleep(hold_ms / 1000)
        return [text for (text,) in rows]

    def add(self, text: str) -> None:
        """Add a note and forget those older than the newest MAX_NOTES."""
        with self.pool.connection() as connection:
            cursor = connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))
            connection.execute("DELETE FROM notes WHERE id <= ?", ((cursor.lastrowid or 0) - MAX_NOTES,))


def open_database(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode, with the table there; waits up to 5 s while another process writes."""
    # The pool lends a connection to one thread at a time, so SQLite's own same-thread check is not needed.
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(TABLE)
    except BaseException:
        connection.close()
        raise
    return connection


def switch_to_wal(connection: sqlite3.Connection) -> None:
    """Put the database in WAL mode, trying again for 5 s when other processes open the same new file."""
    deadline = time.monotonic() + 5
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # This one statement does not honour the busy timeout: it answers "locked" at once.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def default_path() -> Path:
    """EXAMPLE_APP_DB, or a file of this user in the system's temporary directory."""
    named = os.environ.get("EXAMPLE_APP_DB")
    return Path(named) if named else Path(tempfile.gettempdir()) / f"example_app_notes_{os.getuid()}.sqlite3"
