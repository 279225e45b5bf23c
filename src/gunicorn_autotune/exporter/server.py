"""A server that no client can hold: few threads, one request each, five seconds for all of it.

When all threads are taken, whoever keeps us waiting for longer than a moment is dropped for whoever comes next.
"""

from __future__ import annotations

import math
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore, Lock
from typing import Any

from gunicorn_autotune.exporter import multiprocess
from gunicorn_autotune.exporter.address import Settings
from gunicorn_autotune.exporter.credentials import BearerToken, Certificate
from gunicorn_autotune.exporter.handler import Handler
from gunicorn_autotune.exporter.render import Format, exposition
from gunicorn_autotune.exporter.rows import BoardReading, Highest, Source
from gunicorn_autotune.exporter.samples import Document

REQUESTS_AT_ONCE = 16
"""Further connections wait in the kernel's queue."""
REQUEST_SECONDS = 5.0
PATIENCE_SECONDS = 0.5
"""How long a client may keep us waiting, for its head or for taking our answer, while others wait for its place."""
POLL_SECONDS = 0.5
PRESSED_POLL_SECONDS = 0.1
TOLD_LIMIT = 100


@dataclass(slots=True)
class _Visit:
    """A connection that holds a thread; monotonic seconds."""

    since: float
    awaited_since: float
    """Since when the client keeps us waiting; inf while we make the answer."""


class Server(ThreadingMixIn, TCPServer):
    """Answers on `listener` until told to stop. Everything a handler needs hangs here."""

    daemon_threads = True
    block_on_close = False
    timeout = POLL_SECONDS

    def __init__(
        self, listener: socket.socket, source: Source, settings: Settings, certificate: Certificate | None,
        tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        TCPServer.__init__(self, ("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        listener.settimeout(POLL_SECONDS)
        self.source = source
        self.settings = settings
        self.token = BearerToken(settings.bearer_token_file) if settings.bearer_token_file else None
        self._certificate = certificate
        self._tell = tell
        self._told: set[str] = set()
        self._highest = Highest()
        self._free = BoundedSemaphore(REQUESTS_AT_ONCE)
        self._open: dict[socket.socket, _Visit] = {}
        self._lock = Lock()

    def read(self) -> tuple[Document | None, BoardReading]:
        """The document and the board now; busy time never below an earlier reading."""
        return self.source.status(), self._highest.settle(self.source.rows())

    def metrics(self, form: Format) -> bytes:
        """One scrape, with the app's own metrics where it has any."""
        more = b""
        if self.settings.multiprocess_directory:
            more = multiprocess.exposition(
                self.settings.multiprocess_directory, form is Format.OPENMETRICS, self.tell_once
            )
        return exposition(*self.read(), form, more)

    def tell_once(self, line: str) -> None:
        """Tell a line the first time it comes up; after TOLD_LIMIT different ones, no more."""
        with self._lock:
            if line in self._told or len(self._told) >= TOLD_LIMIT:
                return
            self._told.add(line)
        self._tell(line)

    def serve_while(self, going_on: Callable[[], bool]) -> None:
        """Answer until `going_on()` is false; it is asked at least twice a second."""
        while going_on():
            self.handle_request()
            self.drop_overdue()

    def await_client(self, connection: socket.socket, awaited: bool) -> None:
        """Note whose turn it is: the client's, or ours."""
        with self._lock:
            visit = self._open.get(connection)
            if visit is not None:
                visit.awaited_since = time.monotonic() if awaited else math.inf

    def drop_overdue(self, patience_seconds: float = REQUEST_SECONDS) -> None:
        """End connections over their time, whatever trickles in: shutting the socket down wakes their thread."""
        now = time.monotonic()
        with self._lock:
            overdue = [
                connection
                for connection, visit in self._open.items()
                if now - visit.since > REQUEST_SECONDS or now - visit.awaited_since > patience_seconds
            ]
        for connection in overdue:
            try:
                # The plain socket's shutdown also for TLS: the thread may be inside the SSL object.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand the connection to a thread of its own once one of few is free."""
        while not self._free.acquire(timeout=PRESSED_POLL_SECONDS):
            self.drop_overdue(PATIENCE_SECONDS)
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # No thread to be had, as at the limit of processes: when a scrape is worth most. One at a time, then.
            self.process_request_thread(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In the thread: answer, and free the place whatever happens."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the thread: the TLS handshake, if any, then the request, both within REQUEST_SECONDS."""
        request.settimeout(REQUEST_SECONDS)
        if self._certificate is None:
            self._answer(request, client_address)
            return
        context = self._certificate.context()
        with context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secure:
            self._answer(secure, client_address)

    def _answer(self, connection: socket.socket, client_address: Any) -> None:
        now = time.monotonic()
        with self._lock:
            self._open[connection] = _Visit(now, now)
        try:
            if self._certificate is not None:
                connection.do_handshake()  # type: ignore[attr-defined]
            super().finish_request(connection, client_address)
        finally:
            with self._lock:
                del self._open[connection]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or spoke no TLS is no news; a fault of ours is, once."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.tell_once(f"exporter: request failed error={type(error).__name__}: {error}")
