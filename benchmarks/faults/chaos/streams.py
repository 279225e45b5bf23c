"""Long connections: streams that their clients leave, each after a while of its own, and that nobody else may end."""

from __future__ import annotations

import random
import re
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

SHORTEST_SECONDS, LONGEST_SECONDS = 3.0, 20.0
"""Gunicorn's reload holds the arbiter's loop until the last one of an old worker has ended."""
FIRST_WORD_SECONDS = 30.0
REQUEST = b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PID = re.compile(rb"X-Pid: (\d+)", re.IGNORECASE)


@dataclass
class Stream:
    """One of them."""

    sock: socket.socket
    opened: float
    ends: float
    """When its client leaves."""
    pid: int | None = None
    """Of the worker; None before the first word."""
    head: bytes = b""


@dataclass(frozen=True)
class Cut:
    """One that ended before its time."""

    at: float
    pid: int | None
    age_seconds: float
    how: str


@dataclass
class Streams:
    """`count` at any time, from a thread of its own."""

    port: int
    count: int
    random: random.Random
    opened: int = 0
    left: int = 0
    """By their clients, as meant."""
    cuts: list[Cut] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    _open: list[Stream] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> None:
        """Until the end; then every client leaves."""
        while not self.ended.is_set():
            if len(self._open) < self.count:
                self._begin()
            for key, _ in self._selector.select(0.1):
                self._hear(key.data)
            now = time.monotonic()
            for one in [one for one in self._open if now >= one.ends or self._silent(one, now)]:
                self._leave(one, now)
        for one in list(self._open):
            self._leave(one, time.monotonic())
        self._selector.close()

    def _begin(self) -> None:
        now = time.monotonic()
        self.opened += 1
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            sock.sendall(REQUEST)
        except OSError as error:
            self.cuts.append(Cut(now, None, 0.0, error.strerror or "no connection"))
            self.ended.wait(1.0)
            return
        sock.setblocking(False)
        one = Stream(sock, now, now + self.random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
        self._selector.register(sock, selectors.EVENT_READ, one)
        self._open.append(one)

    def _hear(self, one: Stream) -> None:
        try:
            heard, how = one.sock.recv(65536), "closed"
        except BlockingIOError:
            return
        except OSError as error:
            heard, how = b"", error.strerror or "reset"
        if not heard:
            now = time.monotonic()
            self.cuts.append(Cut(now, one.pid, now - one.opened, how))
            self._close(one)
        elif one.pid is None:
            one.head += heard
            if found := PID.search(one.head):
                one.pid = int(found[1])

    def _silent(self, one: Stream, now: float) -> bool:
        return one.pid is None and now - one.opened > FIRST_WORD_SECONDS

    def _leave(self, one: Stream, now: float) -> None:
        if self._silent(one, now):
            self.cuts.append(Cut(now, None, now - one.opened, "never began"))
        else:
            self.left += 1
        self._close(one)

    def _close(self, one: Stream) -> None:
        self._selector.unregister(one.sock)
        one.sock.close()
        self._open.remove(one)
