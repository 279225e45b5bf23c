"""An arbiter that is none: real children, /proc, board, listener and law, and Gunicorn's arbiter only as attributes.

So a tick can be run as often as one likes, with as many workers as one likes, without serving anything.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from benchmarks.demo_server import die_with_parent
from gunicorn.config import Config
from gunicorn.workers.sync import SyncWorker

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.runtime import sensing, setup, slots, ticker
from gunicorn_autotune.scoreboard import layout, recorder

QUEUE_SECONDS = 0.004


class Clock:
    """Stands in for the `time` module: monotonic time goes on only when told, Unix time goes along."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self._unix = time.time() - self.now

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def monotonic_ns(self) -> int:
        """Nanoseconds."""
        return int(self.now * 1e9)

    def thread_time(self) -> float:
        """CPU seconds of this thread, which pass as they do: a read of memory is paced by what it really cost."""
        return time.thread_time()

    def time(self) -> float:
        """Unix seconds."""
        return self.now + self._unix


class Listener:
    """What Gunicorn keeps in LISTENERS."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=2048)

    def __str__(self) -> str:
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"


class Arbiter:
    """As much of Gunicorn's arbiter as a tick uses, with `count` real children that sleep."""

    def __init__(self, count: int, metrics: str = "off") -> None:
        self.cfg = Config()
        self.log = logging.getLogger("benchmarks.micro")
        self.pid, self.reexec_pid, self.master_pid = os.getpid(), 0, 0
        self.worker_class = SyncWorker
        self.num_workers = count
        self.LISTENERS = [Listener()]
        self.WORKERS: dict[int, Any] = {}
        self.waiting: list[socket.socket] = []
        policy = Policy(min_workers=1, max_workers=2 * count, metrics=metrics)
        self.autotune = setup.new_autotune(self, policy)
        self._ages = iter(range(1, 10**9))
        for _ in range(count):
            self._spawn()

    def _spawn(self) -> None:
        one = SimpleNamespace(age=next(self._ages), pid=0, aborted=False, max_requests=0, cfg=self.cfg, log=self.log)
        slots.assign(self.autotune, one)
        pid = os.fork()
        if not pid:
            _sleep_until_killed()
        one.pid = pid
        self.WORKERS[pid] = one
        serve(one, 20)

    def recycle(self, one: Any) -> None:
        """A worker's slot is given back and taken again, as if by another process: three more requests in it."""
        slots.release(self.autotune, one.autotune)
        one.age = next(self._ages)
        slots.assign(self.autotune, one)
        serve(one, 3)

    def close(self) -> None:
        """End the children, the exporter and the command socket."""
        self.autotune.commands.close()
        for pid in self.WORKERS:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if self.autotune.exporter is not None and self.autotune.exporter.pid:
            # No child of ours: whoever takes up orphans reaps it.
            os.kill(self.autotune.exporter.pid, signal.SIGKILL)
        for sock in (self.LISTENERS[0].sock, *self.waiting):
            sock.close()


def _sleep_until_killed() -> None:
    die_with_parent()
    try:
        while True:
            signal.pause()
    finally:
        os._exit(0)


def serve(one: Any, requests: int) -> None:
    """Write a worker's row as the worker would: ready, and so many requests recorded."""
    row = one.autotune.row
    row[layout.RECORDS] = 1
    pen, queue = recorder.single(row), recorder.queue_recorder(row)
    for number in range(requests):
        pen.begin(None, None)
        queue(int(QUEUE_SECONDS * 1e9) * (number % 4))
        pen.end(None, None, None, SimpleNamespace(status_code=200 if number % 7 else 404))
    recorder.mark_ready(row, time.monotonic_ns() - 10**9)


@contextmanager
def arbiter(count: int, metrics: str = "off") -> Iterator[Arbiter]:
    """An arbiter with `count` children; all gone afterwards."""
    server = Arbiter(count, metrics)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def told_time(*modules: Any) -> Iterator[Clock]:
    """A clock in place of `time` in these modules of the runtime, so that half a minute of ticks takes a moment."""
    clock = Clock()
    kept = [module.time for module in modules]
    for module in modules:
        module.time = clock
    try:
        yield clock
    finally:
        for module, before in zip(modules, kept, strict=True):
            module.time = before


TIMED_MODULES = (ticker, sensing, slots)
