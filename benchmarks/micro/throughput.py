"""How many requests a second one sync worker answers, against the same Gunicorn without autotune.

Pairs, in the order A B B A, so that a machine that slows down or speeds up favours neither. The arbiter and the
exporter that rest are stopped (SIGSTOP) meanwhile: else their work would slow both and cancel out. No process is
pinned to a core.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from statistics import median, quantiles
from typing import Any

from benchmarks.demo_server import Server, gunicorn
from benchmarks.micro import closed_loop, proc
from benchmarks.micro.options import APPS, Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured
from benchmarks.micro.status import worker_pids

CONFIG = ["workers = 1"]
SETTINGS = {"min_workers": 1, "max_workers": 1}


class Contender:
    """One server with one worker."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.worker = worker_of(server)
        self.others = [server.pid, *proc.exporters(server.pid)]
        """Arbiter and exporter."""

    def run(self, seconds: float) -> tuple[float, float]:
        """Requests per second, and the worker's CPU in microseconds per request."""
        before = proc.cpu_seconds(self.worker)
        answered = closed_loop.load(self.server.port, seconds)
        if answered.bad > answered.requests / 1000:
            raise RuntimeError(f"{answered.bad} of {answered.requests} answers were bad")
        return answered.per_second, (proc.cpu_seconds(self.worker) - before) / answered.requests * 1e6

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Stopped, but for the idle worker."""
        for pid in self.others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in self.others:
                os.kill(pid, signal.SIGCONT)


def hello(settings: dict[str, Any] | None) -> AbstractContextManager[Server]:
    """The hello-world app behind one worker."""
    return gunicorn(CONFIG, settings, app="hello:app", directory=APPS, path="/")


def worker_of(server: Server) -> int:
    """Pid of the only worker."""
    pids = worker_pids(server.metrics_port) if server.metrics_port else proc.children(server.pid)
    (worker,) = pids
    return worker


def measure(options: Options, tell: Tell) -> CaseResult:
    """The ratio of each pair, and the worker's CPU per request."""
    pairs, seconds = options.some(12, 2), options.some(4, 1)
    rates: dict[str, list[float]] = {"bare": [], "autotune": []}
    costs: dict[str, list[float]] = {"bare": [], "autotune": []}
    ratios = []
    with ExitStack() as servers:
        contenders = {
            name: Contender(servers.enter_context(hello(settings)))
            for name, settings in (("bare", None), ("autotune", SETTINGS))
        }
        for contender in contenders.values():
            contender.run(1)
        for pair in range(pairs):
            for name in ("bare", "autotune") if pair % 2 == 0 else ("autotune", "bare"):
                other = contenders["autotune" if name == "bare" else "bare"]
                with other.resting():
                    rate, cost = contenders[name].run(seconds)
                rates[name].append(rate)
                costs[name].append(cost)
            ratios.append(rates["autotune"][-1] / rates["bare"][-1])
            tell(
                f"pair {pair + 1} of {pairs}: bare {rates['bare'][-1]:.0f}/s, autotune {rates['autotune'][-1]:.0f}/s,"
                f" ratio {ratios[-1]:.3f}"
            )
    low, _, high = quantiles(ratios, n=4)
    more = [ours - bare for ours, bare in zip(costs["autotune"], costs["bare"], strict=True)]
    client = f"wrk -t1 -c{closed_loop.CONNECTIONS}" if shutil.which("wrk") else "plain Python clients"
    return CaseResult(
        (
            Measured(
                "requests/s, autotune / bare Gunicorn", "", tuple(ratios), Goal(0.99, at_least=True),
                note=f"half of the {pairs} pairs lie within {low:.3f} to {high:.3f}; {seconds} s each, in the order"
                " A B B A, no process pinned",
            ),
            Measured("hello world, 1 sync worker, autotune, requests/s", "", tuple(rates["autotune"])),
            Measured("hello world, 1 sync worker, bare, requests/s", "", tuple(rates["bare"])),
            Measured(
                "the worker's CPU, autotune - bare", "us/request", tuple(more),
                note=f"bare: median {median(costs['bare']):.0f} us; steadier than a rate where other work runs",
            ),
        ),
        (f"gunicorn ({'; '.join(CONFIG)}), with and without install(globals(), {SETTINGS}); {client}, {seconds} s",),
        details={"pairs": [{"bare": a, "autotune": b} for a, b in zip(rates["bare"], rates["autotune"], strict=True)]},
    )  # fmt: skip
