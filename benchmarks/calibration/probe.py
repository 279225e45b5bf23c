"""What the simulator is told of this machine: measured once on servers of their own, apart from every cell."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.calibration.cells import Cell, plan
from benchmarks.calibration.sender import Sender
from benchmarks.calibration.server import KINDS, serving, ticks_of
from benchmarks.demo_server import Server
from benchmarks.micro import proc
from benchmarks.openloop import Phase

from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import Snapshot

AT_START, ONE_BY_ONE = 6, 4
"""Workers forked in a row, which tells what a fork takes; then each on a quiet machine, which tells what a boot takes.

The ten of them then answer empty requests: some idle workers, as in the cells, since a new connection wakes them all.
"""
BOOT_PAUSE_SECONDS = 0.8
SLOW_BOOT_PAUSE_SECONDS = 2.5
LOAD = Phase(60, 15)
BOOT_LINES = (
    "import time",
    "def post_worker_init(worker):",
    "    worker.log.info('calibration: boot_cpu_seconds=%f', time.process_time())",
)


@dataclass(frozen=True)
class ServerConstants:
    """Of one kind of server."""

    boot_cpu_seconds: float
    boot_wait_seconds: float
    """What a lone boot takes beyond its CPU."""
    overhead_cpu_seconds: float
    """CPU of all workers for a request that does nothing."""


@dataclass(frozen=True)
class Constants:
    """Of all kinds of server together where a figure is not of one kind."""

    cores: float
    fork_seconds: float
    generator_cpu_seconds: float
    """For each request."""
    arbiter_cores: float
    """The ticks, their flight record included."""
    tick_seconds: float
    """From one tick to the next: the policy's quarter of a second and the work of the tick."""
    servers: Mapping[str, ServerConstants]

    def taken_cores(self, rate: float) -> float:
        """What generator and arbiter use of the machine at so many requests a second."""
        return self.arbiter_cores + rate * self.generator_cpu_seconds


@dataclass(frozen=True)
class Probed:
    """One kind of server, and what was learned of the machine beside it."""

    server: ServerConstants
    cores: float
    fork_seconds: float
    generator_cpu_seconds: float
    arbiter_cores: float
    tick_seconds: float


def measure(tell: Callable[[str], None]) -> Constants:
    """Half a minute for each kind of server."""
    found: dict[str, Probed] = {}
    for kind in KINDS:
        found[kind] = _probe(kind)
        one = found[kind].server
        tell(
            f"probe, {kind}: a boot takes {one.boot_cpu_seconds * 1e3:.0f} ms of CPU and"
            f" {one.boot_wait_seconds * 1e3:.0f} ms more, an empty request {one.overhead_cpu_seconds * 1e3:.2f} ms"
        )
    return Constants(
        cores=found["sync"].cores,
        fork_seconds=min(one.fork_seconds for one in found.values()),
        generator_cpu_seconds=median(one.generator_cpu_seconds for one in found.values()),
        arbiter_cores=median(one.arbiter_cores for one in found.values()),
        tick_seconds=median(one.tick_seconds for one in found.values()),
        servers={kind: one.server for kind, one in found.items()},
    )


def _probe(kind: str) -> Probed:
    with serving(kind, AT_START, BOOT_LINES) as (server, record):
        pause = SLOW_BOOT_PAUSE_SECONDS if kind == "slow_import" else BOOT_PAUSE_SECONDS
        time.sleep(pause * AT_START / 2)
        for _ in range(ONE_BY_ONE):
            server.process.send_signal(signal.SIGTTIN)
            time.sleep(pause)
        overhead, generator, arbiter = _load(server)
        snapshots = [tick.snapshot for tick in ticks_of(record)]
        boot_cpu = median(_boot_cpu_seconds(server.log)[-ONE_BY_ONE:])
    fork, boot = _shortest(snapshots[-1])
    return Probed(
        ServerConstants(boot_cpu, max(0.0, boot - boot_cpu), overhead),
        known(snapshots[-1].host.cpu_limit_cores, 0.0),
        fork,
        generator,
        arbiter,
        # An idle server is looked at once a second; under load no tick is left out, so the median is of those.
        median(after.at - before.at for before, after in itertools.pairwise(snapshots)),
    )


def _shortest(snapshot: Snapshot) -> tuple[float, float]:
    """A fork and a lone boot, in seconds; the shortest, as what others do on this machine only ever adds."""
    workers = sorted(snapshot.workers, key=lambda worker: worker.age)
    forked = [worker.spawned_at for worker in workers[:AT_START]]
    boots = [worker.ready_at - worker.spawned_at for worker in workers[-ONE_BY_ONE:] if worker.ready_at is not None]
    return min(after - before for before, after in itertools.pairwise(forked)), min(boots)


def _load(server: Server) -> tuple[float, float, float]:
    """CPU seconds of the workers and of the generator for each empty request, and the cores the arbiter uses."""
    cell = Cell("probe", "empty requests", (LOAD,), 0.0, 0.0)
    drawn = plan(cell, 1)
    workers = proc.children(server.pid)

    def used() -> tuple[float, float, float]:
        return sum(map(proc.cpu_seconds, workers)), time.process_time(), proc.cpu_seconds(server.pid)

    before = used()
    asyncio.run(Sender(server.port, drawn).drive())
    spent = [after - earlier for earlier, after in zip(before, used(), strict=True)]
    return spent[0] / len(drawn.moments), spent[1] / len(drawn.moments), spent[2] / LOAD.seconds


def _boot_cpu_seconds(log: Path) -> list[float]:
    return [float(found) for found in re.findall(r"calibration: boot_cpu_seconds=([0-9.]+)", log.read_text())]
