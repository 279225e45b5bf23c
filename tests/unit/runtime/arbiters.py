"""An arbiter without processes: Gunicorn's real configuration, our real state, workers that are only rows."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from gunicorn_autotune.model.readings import ProcessReading
from gunicorn_autotune.model.status import Identity, Mode, Tally
from gunicorn_autotune.runtime import actuator, boots, compat, hooks, sensing, slots, surroundings, ticker
from gunicorn_autotune.runtime.doors import Doors
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.testing import a_host, a_policy

NS = 1_000_000_000
NO_PROCESS = 1 << 23
"""Above the kernel's largest pid: what is asked of these processes is Missing, as of one that has just died."""


class Clock:
    """Stands in for the module `time`; moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def monotonic_ns(self) -> int:
        """The same in whole nanoseconds."""
        return round(self.now * NS)

    def time(self) -> float:
        """Unix time, half a century later."""
        return self.now + 1.6e9

    def thread_time(self) -> float:
        """Reading costs no CPU time here."""
        return 0.0


class Log:
    """Gunicorn's, as far as we use it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *arguments: object) -> None:
        """Keep it."""
        self.lines.append(text % arguments if arguments else text)

    warning = error = exception = info


class Listener:
    """A real listening socket, named as Gunicorn names it."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))

    def __str__(self) -> str:
        return "http://127.0.0.1:8000"


class Probe:
    """Process files that show what a test writes into `reading`."""

    def __init__(self) -> None:
        self.reading: Any = ProcessReading(0.0, 0.0, 40 << 20, 1)
        self.closed = False

    def read(self) -> Any:
        """Now."""
        return self.reading

    def close(self) -> None:
        """Once the worker is gone."""
        self.closed = True


class Arbiter:
    """What our hooks and ticks see of gunicorn.arbiter.Arbiter."""

    def __init__(self, settings: dict[str, Any], policy: dict[str, Any]) -> None:
        self.cfg, self.log = Config(), Log()
        for name, value in settings.items():
            self.cfg.set(name, value)
        self.pid = os.getpid()
        self.reexec_pid = self.master_pid = self.worker_age = 0
        self.WORKERS: dict[int, Any] = {}
        self.LISTENERS: list[Any] = []
        self.worker_class = self.cfg.worker_class
        self.counts: list[int] = []
        self.num_workers = self.cfg.workers
        tally = Tally()
        self.autotune = Autotune(
            policy=a_policy(**policy), mode=Mode.ACTIVE, board=board.create(layout.shape_for(20)),
            identity=Identity("27.0.1", "1.2.3", "3.12.1", "sync", pid=self.pid, started_unix_seconds=1.0),
            doors=Doors(self.log, tally.door_errors), threads=compat.requests_at_once(self), records=True, tally=tally,
        )  # fmt: skip
        self.autotune.gunicorn = {}

    def spawn(self, *, ready: bool = True, running: int = 0) -> Tracked:
        """A worker as Gunicorn forks one; `ready` and `running` are what it writes into its row."""
        self.worker_age += 1
        limit = self.cfg.max_requests or sys.maxsize
        new = SimpleNamespace(age=self.worker_age, cfg=self.cfg, log=self.log, aborted=False, max_requests=limit)
        new.pid = NO_PROCESS + self.worker_age
        tracked = slots.assign(self.autotune, new)
        self.WORKERS[new.pid] = new
        tracked.probe = Probe()
        if tracked.row is not None:
            tracked.row[layout.RECORDS] = 1
            tracked.row[layout.READY_NS] = round((tracked.spawned_at + 0.5) * NS) if ready else 0
            for cell in range(running):
                tracked.row[layout.CELLS + cell] = round(tracked.spawned_at * NS)
        return tracked

    def reap(self, tracked: Tracked, code: int) -> None:
        """As Gunicorn does: out of WORKERS, then the hook."""
        tracked.returncode = code
        del self.WORKERS[tracked.worker.pid]
        hooks.child_exit(self, self.autotune, tracked.worker)


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, workers: int = 2, *, ready: bool = True, settings: Any = None,
            **policy: Any) -> Iterator[tuple[Arbiter, Clock]]:  # fmt: skip
    """An arbiter with `workers` that have been up for 100 s, a calm host, and its clock."""
    clock = Clock()
    for module in (actuator, boots, hooks, sensing, slots, ticker):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(surroundings, "read_host", lambda tune: a_host())
    arbiter = Arbiter({"workers": workers} | (settings or {}), {"max_workers": 16, "command_socket": "off"} | policy)
    clock.now -= 100.0
    for _ in range(workers):
        arbiter.spawn(ready=ready)
    clock.now += 100.0
    yield arbiter, clock
    for listener in arbiter.LISTENERS:
        listener.sock.close()
    for tracked in arbiter.autotune.tracked.values():
        tracked.row = None
