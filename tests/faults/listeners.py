"""Clients that stay: streams and WebSockets that a server goes on talking to, watched for being cut."""

from __future__ import annotations

import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.server import command, environment, free_port, wait_for

WEBSOCKET = (
    "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
STREAM = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Listeners:
    """Open connections of one server, each read by one thread as the words come in."""

    port: int
    heard_at: dict[socket.socket, float] = field(default_factory=dict)
    """When each was last spoken to."""
    cut: set[socket.socket] = field(default_factory=set)
    """Those that the server ended."""
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    ended: threading.Event = field(default_factory=threading.Event)
    _opened: list[socket.socket] = field(default_factory=list)

    def open(self, request: str, count: int = 1) -> None:
        """Connect, ask, and wait for the first word."""
        clients = [socket.create_connection(("127.0.0.1", self.port), timeout=20) for _ in range(count)]
        self._opened += clients
        for client in clients:
            client.sendall(request.encode())
            self._selector.register(client, selectors.EVENT_READ)
        wait_for(lambda: all(client in self.heard_at for client in clients), "the first word on every connection")

    def kept(self, seconds: float) -> int:
        """How many go on: spoken to at a time that lies `seconds` ahead."""
        until = time.monotonic() + seconds
        wait_for(lambda: all(at > until for one, at in self.heard_at.items() if one not in self.cut), "words on all")
        return len(self.heard_at) - len(self.cut)

    def read(self) -> None:
        """Until that is over."""
        while not self.ended.is_set():
            for key, _ in self._selector.select(0.05):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                try:
                    heard = client.recv(65536)
                except OSError:
                    heard = b""
                if heard:
                    self.heard_at[client] = time.monotonic()
                else:
                    self.cut.add(client)
                    self._selector.unregister(client)

    def close(self) -> None:
        """Hang up."""
        self._selector.close()
        for client in self._opened:
            client.close()


@contextmanager
def listening(port: int) -> Iterator[Listeners]:
    """Connections to `port` for as long as the block lasts."""
    listeners = Listeners(port)
    thread = threading.Thread(target=listeners.read)
    thread.start()
    try:
        yield listeners
    finally:
        listeners.ended.set()
        thread.join()
        listeners.close()


@contextmanager
def plain(folder: Path, *arguments: str) -> Iterator[int]:
    """Gunicorn without anything of ours, for comparison: its port."""
    port = free_port()
    folder.mkdir()
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command(["-b", f"127.0.0.1:{port}", "--graceful-timeout", "0", *arguments]), cwd=folder,
            env=environment({}), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close() or True, "plain Gunicorn")
        yield port
    finally:
        process.terminate()
        process.wait(20)
