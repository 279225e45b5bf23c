"""One run: a contender in its groups, the load on it, a watcher beside it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.calibration.others import machine_seconds, tree_seconds
from benchmarks.calibration.sender import Sender
from benchmarks.contest.closed import closed
from benchmarks.contest.contenders import APPS, Contender, Place
from benchmarks.contest.figures import Seen, figures, series, why_invalid
from benchmarks.contest.front import behind
from benchmarks.contest.fronted import Fronted
from benchmarks.contest.host import Groups, Layout, groups
from benchmarks.contest.pool import database
from benchmarks.contest.watch import Looks, looks_in, wait_until_steady, watching
from benchmarks.contest.workloads import FIRST_SEED, Workload, plan
from benchmarks.demo_server import NotStartedError, Server, free_port, started, wait_for_answer

START_SECONDS = 90.0
"""For as many slow imports at once as memory holds."""
PATIENCE_SECONDS = 10.0
"""Of a client: a request without an answer by then has failed."""
DOWNSTREAM = "downstream"
_STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Running:
    """A server that answers, and what belongs to it."""

    server: Server
    port: int
    """Where its clients go: its own, or the proxy's."""
    groups: Groups
    folder: Path
    helpers: tuple[Server, ...]
    """Ours, but not the contender: the database, the proxy."""


def one_run(
    contender: Contender, workload: Workload, seed: int, layout: Layout, fronted: Fronted | None = None
) -> dict[str, Any]:
    """`figures`, `valid` and `why`, and `series` of the first seed; NotStartedError if the server never came up."""
    with serving(contender, workload, layout, fronted) as running:
        seen = loaded(running, contender, workload, seed, layout)
        ended = running.server.process.poll()
    found = figures(seen)
    if workload.pooled and contender.metrics:
        found["downstream"] = any(one.get("bottleneck") == DOWNSTREAM for one in seen.looks)
    why = why_invalid(found)
    record = {"figures": found, "valid": not why, "why": why}
    if ended is not None and not why:
        record["why"] = f"the server ended with exit code {ended}"
    offered = workload.offered(len(layout.server_cores))
    begins = [sum(phase.seconds for phase in offered[:number]) for number in range(len(offered))]
    if seed == FIRST_SEED:
        record["series"] = series(seen, [(at, phase.rate) for at, phase in zip(begins, offered, strict=True)])
    return record


def closed_run(contender: Contender, workload: Workload, seed: int, layout: Layout) -> dict[str, Any]:
    """The same by Locust: its own figures."""
    with serving(contender, workload, layout) as running:
        found = closed(workload, running.port, seed, layout.generator_cores, len(layout.server_cores))
    return {"figures": found, "valid": True, "why": ""}


@contextmanager
def serving(
    contender: Contender, workload: Workload, layout: Layout, fronted: Fronted | None = None
) -> Iterator[Running]:
    """Answering by the time this yields."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autotune-")))
        folder.chmod(0o755)  # a proxy or a server that drops its rights reaches into it
        held = stack.enter_context(groups(workload.memory_limit_bytes, layout.server_cores))
        if held.names != layout.groups:
            raise NotStartedError(f"cgroups {held.names} hold it, not {layout.groups} as the other runs")
        helpers = [stack.enter_context(database(folder))] if workload.pooled else []
        place = Place(free_port(), free_port() if contender.metrics else 0, folder, cores=len(layout.server_cores))
        place = fronted.place(place) if fronted else place
        command = held.joining(contender.command(workload, place), layout.server_cores)
        told = {"SITE_IMPORT_CPU_SECONDS": workload.import_cpu_seconds, "SITE_LEAK_BYTES": workload.leak_bytes,
                "SITE_POOL_PORT": helpers[0].port if helpers else 0}  # fmt: skip
        os.environ.update({name: str(value) for name, value in told.items()})
        log = folder / "log.txt"
        server = stack.enter_context(started(command, APPS, log, place.port, place.metrics_port))
        if fronted:
            front = stack.enter_context(behind(fronted, folder, place, layout.generator_cores))
            helpers.append(front.server)
        else:
            wait_for_answer(server, place.port, "/", START_SECONDS)
        if place.metrics_port:
            wait_for_answer(server, place.metrics_port, "/-/ready")
        port = front.server.port if fronted else place.port
        yield Running(server, port, held, folder, tuple(helpers))


def loaded(running: Running, contender: Contender, workload: Workload, seed: int, layout: Layout) -> Seen:
    """Send everything and wait for every answer or the end of patience."""
    drawn = plan(workload, seed, len(layout.server_cores))
    group, memory = running.groups, running.groups.memory
    pid = running.server.pid
    looks = Looks(pid, str(memory.path / "cgroup.procs") if memory else "", contender.not_workers,
                  running.server.metrics_port if workload.pooled else 0)  # fmt: skip
    with watching(looks, running.folder) as (watcher, file):
        wait_until_steady(watcher, file)
        sender = Sender(running.port, drawn, PATIENCE_SECONDS, stamped=False)
        mine = [watcher.pid, *(one.pid for one in running.helpers)]
        began, before, foreign = time.monotonic(), group.cpu_seconds(pid), foreign_seconds(group, pid, mine)
        answers = asyncio.run(sender.drive())
        took = time.monotonic() - began
        cpu, others = group.cpu_seconds(pid) - before, foreign_seconds(group, pid, mine) - foreign
    return Seen(
        answers, [cpu + wait for cpu, wait in drawn.work], looks_in(file.read_text()), sender.began, workload.seconds,
        workload.step_at, cpu, memory.oom_kills() if memory else None, max(0.0, others) / took,
    )  # fmt: skip


def foreign_seconds(group: Groups, pid: int, mine: list[int]) -> float:
    """CPU time of the machine used by neither the server, nor this process, nor what it has started."""
    own = time.process_time() + group.cpu_seconds(pid) + sum(tree_seconds(one) for one in mine)
    return machine_seconds(_STAT.read_text()) - own
