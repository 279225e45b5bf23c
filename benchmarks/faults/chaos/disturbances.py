"""What the soak does to the server: a table, drawn from at random, and a journal of what was done."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.chaos import limits
from benchmarks.faults.chaos.limits import Limits
from benchmarks.faults.options import Tell
from benchmarks.faults.watch import exporter_of
from benchmarks.micro.status import status

from gunicorn_autotune.cli.commanding import send_command
from gunicorn_autotune.cli.style import CommandError

SOONEST_SECONDS, LATEST_SECONDS = 1.0, 5.0
"""Between two of them."""
STOPPED_SECONDS, EXPORTER_STOPPED_SECONDS, CUT_SECONDS = 1.5, 2.0, 6.0
MEMORY_ROOM_SHARE = 1.6
CPU_CORES = 0.5
PIDS_ROOM = 12
FILES_ROOM = 100
"""A HUP opens some four files a new worker at once; plain Gunicorn ends when it finds none."""
UP = ("idle", "busy")

Undo = Callable[[], None]


@dataclass
class Site:
    """The server that is disturbed."""

    arbiter: int
    metrics_port: int
    limits: Limits
    random: random.Random

    def ready_worker(self) -> int | None:
        """The pid of one of them; None when no status is to be had or nobody is ready."""
        try:
            pids = [one["pid"] for one in status(self.metrics_port)["workers"] if one["state"] in UP]
        except (OSError, ValueError, KeyError):
            return None
        return self.random.choice(pids) if pids else None


@dataclass(frozen=True)
class Done:
    """One line of the journal; moments are of the monotonic clock."""

    at: float
    name: str
    pid: int | None = None
    """Whom it was done to."""
    until: float | None = None
    """When it was taken back."""


@dataclass(frozen=True)
class Disturbance:
    """What is done; how often, beside the others; and what it may cost, in words for the page."""

    name: str
    weight: int
    cost: str
    act: Callable[[Site], tuple[int | None, float, Undo | None] | None]
    """Does it: (pid, seconds until it is taken back, how that is done); None when there was nobody to do it to."""
    needs: str = ""
    """The cgroup controller."""


def _to_worker(sig: int) -> Callable[[Site], tuple[int | None, float, Undo | None] | None]:
    def act(site: Site) -> tuple[int | None, float, Undo | None] | None:
        pid = site.ready_worker()
        return (pid, 0.0, None) if pid is not None and sent(pid, sig) else None

    return act


def _to_arbiter(sig: int) -> Callable[[Site], tuple[int | None, float, Undo | None] | None]:
    def act(site: Site) -> tuple[int | None, float, Undo | None] | None:
        return (site.arbiter, 0.0, None) if sent(site.arbiter, sig) else None

    return act


def sent(pid: int, sig: int) -> bool:
    """Whether the process was there to be signalled."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return False
    return True


def _stop_worker(site: Site) -> tuple[int | None, float, Undo | None] | None:
    pid = site.ready_worker()
    if pid is None or not sent(pid, signal.SIGSTOP):
        return None
    return pid, STOPPED_SECONDS, lambda: sent(pid, signal.SIGCONT) and None


def _exporter(sig: int) -> Callable[[Site], tuple[int | None, float, Undo | None] | None]:
    def act(site: Site) -> tuple[int | None, float, Undo | None] | None:
        pid = exporter_of(site.arbiter)
        if pid is None or not sent(pid, sig):
            return None
        if sig == signal.SIGSTOP:
            return pid, EXPORTER_STOPPED_SECONDS, lambda: sent(pid, signal.SIGCONT) and None
        return pid, 0.0, None

    return act


def _recycle(site: Site) -> tuple[int | None, float, Undo | None] | None:
    try:
        server = status(site.metrics_port)["server"]
        send_command(server["command_socket"], {"command": "recycle", "slots": "all"})
    except (OSError, ValueError, KeyError, CommandError):
        return None
    return None, 0.0, None


def _cut_memory(site: Site) -> tuple[int | None, float, Undo | None] | None:
    group = site.limits.memory
    used = group and group.working_set_bytes()
    if not used:
        return None
    site.limits.cut_memory(int(used * MEMORY_ROOM_SHARE))
    return None, CUT_SECONDS, lambda: site.limits.cut_memory(None)


def _cut_cpu(site: Site) -> tuple[int | None, float, Undo | None]:
    site.limits.cut_cpu(CPU_CORES)
    return None, CUT_SECONDS, lambda: site.limits.cut_cpu(None)


def _cut_pids(site: Site) -> tuple[int | None, float, Undo | None]:
    site.limits.cut_pids(PIDS_ROOM)
    return None, CUT_SECONDS, lambda: site.limits.cut_pids(None) and None


def _cut_files(site: Site) -> tuple[int | None, float, Undo | None]:
    before = limits.cut_files(site.arbiter, FILES_ROOM)
    return None, CUT_SECONDS, lambda: limits.restore_files(site.arbiter, before)


NOTHING = "nothing"
TABLE = (
    Disturbance("worker killed", 3, "its requests and connections", _to_worker(signal.SIGKILL)),
    Disturbance("worker told to end", 2, NOTHING, _to_worker(signal.SIGTERM)),
    Disturbance("worker stopped", 2, f"a wait of {STOPPED_SECONDS:g} s", _stop_worker),
    Disturbance("HUP", 1, NOTHING, _to_arbiter(signal.SIGHUP)),
    Disturbance("TTIN", 2, NOTHING, _to_arbiter(signal.SIGTTIN)),
    Disturbance("TTOU", 2, NOTHING, _to_arbiter(signal.SIGTTOU)),
    Disturbance("USR1", 1, NOTHING, _to_arbiter(signal.SIGUSR1)),
    Disturbance("recycle", 2, NOTHING, _recycle),
    Disturbance("exporter killed", 1, "scrapes for some seconds", _exporter(signal.SIGKILL)),
    Disturbance("exporter stopped", 1, f"scrapes for {EXPORTER_STOPPED_SECONDS:g} s", _exporter(signal.SIGSTOP)),
    Disturbance("memory cut", 1, "what the kernel kills", _cut_memory, "memory"),
    Disturbance("CPU cut", 1, "a wait", _cut_cpu, "cpu"),
    Disturbance("processes cut", 1, "requests that fork meanwhile", _cut_pids, "pids"),
    Disturbance("open files cut", 1, NOTHING, _cut_files),
)


@dataclass
class Disturber:
    """Draws from the table until it is told to end, in a thread of its own; then takes back what still holds."""

    site: Site
    tell: Tell
    journal: list[Done] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """Drawn, with nobody there to do it to."""
    ended: threading.Event = field(default_factory=threading.Event)
    _held: list[tuple[float, int, Undo]] = field(default_factory=list)
    """(when to take it back, its place in the journal, how)."""

    def run(self) -> None:
        """Until the end."""
        offered = [one for one in TABLE if not one.needs or one.needs in self.site.limits.groups]
        weights = [one.weight for one in offered]
        due = self._next()
        while not self.ended.wait(max(0.0, min([due, *(at for at, _, _ in self._held)]) - time.monotonic())):
            self._take_back(time.monotonic())
            if time.monotonic() >= due:
                self._one(self.site.random.choices(offered, weights)[0])
                due = self._next()
        self._take_back(float("inf"))

    def _next(self) -> float:
        return time.monotonic() + self.site.random.uniform(SOONEST_SECONDS, LATEST_SECONDS)

    def _one(self, chosen: Disturbance) -> None:
        if any(self.journal[place].name == chosen.name for _, place, _ in self._held):
            return  # it still holds
        at = time.monotonic()
        found = chosen.act(self.site)
        if found is None:
            self.missed.append(chosen.name)
            return
        pid, seconds, undo = found
        self.journal.append(Done(at, chosen.name, pid))
        if undo is not None:
            self._held.append((at + seconds, len(self.journal) - 1, undo))

    def _take_back(self, now: float) -> None:
        for one in [held for held in self._held if held[0] <= now]:
            self._held.remove(one)
            _, place, undo = one
            undo()
            done = self.journal[place]
            self.journal[place] = Done(done.at, done.name, done.pid, time.monotonic())


def counts(journal: list[Done]) -> dict[str, Any]:
    """How often each was done, in the order of the table."""
    return {one.name: sum(done.name == one.name for done in journal) for one in TABLE}
