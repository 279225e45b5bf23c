"""Workers that come and go under GETs and POSTs through nginx: 200 steps of the count, 200 recycles.

Autotune is active, so it chooses who leaves and starts a replacement first, as for its users. Steps are an operator's
TTIN and TTOU, which come when they are told to; a load that swings would leave their number to chance. Recycles are an
operator's `recycle --all`, again whenever the last are done.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.measure import measured
from benchmarks.faults.options import NotRunError, Tell
from benchmarks.faults.sender import Sender
from benchmarks.faults.server import Running, Setup, serving
from benchmarks.nginx.front import OURS, Site, nginx
from benchmarks.nginx.options import Options
from benchmarks.nginx.plain import CLASSES, TCP, UNIX
from benchmarks.openloop import Phase, Request, schedule

RATE = 400.0
POSTS_EVERY = 2
KEPT = 64
WORKERS, MAX_WORKERS = 4, 8
WAIT_SECONDS, BOOT_SECONDS = 0.002, 0.3
CHANGES = 200
STEP_SECONDS = 0.6
RECYCLE_SECONDS = 0.6
"""What one takes, about, with two at a time."""
OLDER_SHARE = 0.4
"""Of the changes on each older Gunicorn, and over UNIX alone."""
LEAST_CHANGES = 4
OVERHEAD_SECONDS = 4.0
KINDS = ("gthread", "sync")
SCALE, RECYCLE = "scale", "recycle"
SETTINGS = {
    "min_workers": 1, "max_workers": MAX_WORKERS, "tick_seconds": 0.1, "recycle_gap_seconds": 0,
    "recycles_per_hour": 36000, "recycle_lifetime_seconds": 0, "recycle_max_unavailable": 2,
}  # fmt: skip
STEP = re.compile(r"Handling signal: tt(?:in|ou)")


@dataclass(frozen=True)
class Combination:
    """A server and how often it changes."""

    gunicorn: str
    worker_class: str
    way: str
    changes: int

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.worker_class}, {self.way}"


class Disturbed(Sender):
    """A Sender with something that happens meanwhile."""

    disturb: Callable[[], Awaitable[None]]

    async def drive(self) -> tuple[Request, ...]:
        """As Sender."""
        happening = asyncio.create_task(self.disturb())
        try:
            return await super().drive()
        finally:
            happening.cancel()
            with suppress(asyncio.CancelledError):
                await happening


def combinations(options: Options) -> list[Combination]:
    """The newest Gunicorn both ways, then the older ones over UNIX with fewer changes."""
    each = round(CHANGES / 4 / (10 if options.quick else 1))
    found = [Combination(options.newest, kind, way, each) for kind in ("gthread", "sync") for way in (TCP, UNIX)]
    fewer = max(LEAST_CHANGES, round(each * OLDER_SHARE))
    return found + [
        Combination(version, kind, UNIX, fewer) for version in options.older for kind in ("gthread", "sync")
    ]


def run_seconds(cell: str, one: Combination) -> float:
    """Of the load: two seconds more than the changes take."""
    return 2.0 + one.changes * (STEP_SECONDS if cell == SCALE else RECYCLE_SECONDS)


def seconds(cell: str, options: Options) -> float:
    """What the cell takes."""
    return sum(run_seconds(cell, one) + OVERHEAD_SECONDS for one in combinations(options))


def run(cell: str, options: Options, tell: Tell) -> dict[str, Any]:
    """Every combination in turn; one that cannot run says why."""
    runs = []
    for one in combinations(options):
        tell(f"{cell}: gunicorn {one.gunicorn}, {one.title}, {run_seconds(cell, one):.0f} s")
        try:
            found = one_run(cell, options, one, tell)
        except NotRunError as error:
            found = {"not_run": str(error)}
        runs.append({"title": one.title, "gunicorn": one.gunicorn, **found})
        tell(f"    {told(runs[-1])}")
    return {
        "requests_per_second": RATE, "posts_every": POSTS_EVERY, "workers": WORKERS, "wait_seconds": WAIT_SECONDS,
        "boot_seconds": BOOT_SECONDS, "step_seconds": STEP_SECONDS, "pair": OURS.told(), "autotune": SETTINGS,
        "missing": list(options.missing), "runs": runs,
    }  # fmt: skip


def setup(one: Combination) -> Setup:
    """The server of one run."""
    lines = (
        f"workers = {WORKERS}", f"worker_class = {one.worker_class!r}", f"keepalive = {OURS.gunicorn_keepalive}",
        *CLASSES[one.worker_class],
    )  # fmt: skip
    told = {"FAULTS_WAIT_SECONDS": str(WAIT_SECONDS), "FAULTS_BOOT_SECONDS": str(BOOT_SECONDS)}
    return Setup(lines, SETTINGS, told, unix=one.way == UNIX)


def one_run(cell: str, options: Options, one: Combination, tell: Tell) -> dict[str, Any]:
    """Server, nginx, load, changes, figures."""
    python = options.pythons[one.gunicorn]
    with serving(python, setup(one)) as running:
        address = f"unix:{running.unix}" if running.unix else f"127.0.0.1:{running.server.port}"
        site = Site("app", address, OURS)
        with nginx(running.folder, [site]) as front:
            moments = schedule([Phase(RATE, run_seconds(cell, one))])
            sender = Disturbed(site.target(front), moments, tell, kept=KEPT, posts_every=POSTS_EVERY)
            if cell == SCALE:
                sender.disturb = lambda: step(running.server.pid, one.changes)
            else:
                sender.disturb = lambda: recycle(python, running.server.metrics_port)
            found = measured(running, sender)
            found.pop("timeline")
            found["changes"] = changes(cell, found, running)
            return found | {"nginx_errors": front.errors()}


def changes(cell: str, found: dict[str, Any], running: Running) -> int | None:
    """What has happened: signals that Gunicorn says it took, or recycled workers that have left."""
    recycles: int | None = found["recycles"]
    return len(STEP.findall(running.log)) if cell == SCALE else recycles


async def step(pid: int, steps: int) -> None:
    """One worker more, two more, one less, two less, and so on: there and back every four steps."""
    for number in range(steps):
        os.kill(pid, signal.SIGTTIN if number % 4 < 2 else signal.SIGTTOU)
        await asyncio.sleep(STEP_SECONDS)


async def recycle(python: str, metrics_port: int) -> None:
    """All workers, again and again."""
    words = ["-m", "gunicorn_autotune", "recycle", "--all", "--server", f"127.0.0.1:{metrics_port}", "--wait", "30"]
    while True:
        command = await asyncio.create_subprocess_exec(
            python, *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await command.wait()
        finally:
            if command.returncode is None:
                command.terminate()
                await command.wait()
        await asyncio.sleep(0.1)


def told(found: dict[str, Any]) -> str:
    """One line of progress."""
    if "not_run" in found:
        return f"not run: {found['not_run']}"
    return (
        f"{found['changes']} changes, {found['failed']} of {found['requests']} failed {found['failed_by_kind']},"
        f" of them {found['failed_posts']} POSTs, exits {found['exits']}, nginx said {found['nginx_errors']}"
    )
