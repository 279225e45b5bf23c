"""Autotune at work behind nginx: what becomes of a server that needs more workers, and does the law misjudge any?

Behind nginx's defaults the new workers are idle for long, or get the few connections that are opened later. Whoever
then asks whether they help hears no, though they were hardly tried. The app only sleeps: every worker with its traffic
helps, and every verdict that something behind the workers is short (`downstream`, `cpu`, `no_gain`) is wrong.
"""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.faults.options import NotRunError, Tell
from benchmarks.faults.server import Running, Setup, serving
from benchmarks.micro.status import status
from benchmarks.nginx.front import DEFAULTS, OURS, Pair, Site, nginx
from benchmarks.nginx.options import Options
from benchmarks.nginx.share import asking, counts_of

WORKERS = 2
WAIT_SECONDS = 0.02
LATE_SECONDS = 8.0
"""After this the late clients come."""
RUN_SECONDS, LAST_SECONDS = 30.0, 5.0
QUICK_SECONDS = 16.0
GROWN = re.compile(r"resize workers=\S+ action=grow")
TAKEN_BACK = re.compile(r"reason=no_gain")
WRONG = ("downstream", "cpu")


@dataclass(frozen=True)
class Case:
    """A server and the clients that ask it again as soon as they are answered."""

    pair: Pair
    threads: int = 4
    clients: int = 32
    late_clients: int = 0
    max_workers: int = 8
    boot_seconds: float = 0.0

    @property
    def title(self) -> str:
        """For people."""
        late = f", then {self.late_clients} more" if self.late_clients else ""
        return f"{self.pair.title}; {self.threads} threads, {self.clients} clients{late}"


CASES = {
    "ours": Case(OURS),
    "defaults": Case(DEFAULTS),
    # Few of many connections reach the new worker: it has traffic, but hardly any.
    "late": Case(replace(DEFAULTS, pool="keepalive 90;"), 12, 80, 4, 3, 3.0),
    "late_ours": Case(replace(OURS, pool=OURS.pool.replace("keepalive 32;", "keepalive 90;")), 12, 80, 4, 3, 3.0),
}


def run_seconds(options: Options) -> float:
    """Of each run."""
    return QUICK_SECONDS if options.quick else RUN_SECONDS


def seconds(options: Options) -> float:
    """What the cell takes."""
    return sum(run_seconds(options) + 4.0 + case.boot_seconds for case in CASES.values())


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every case; one that cannot run says why."""
    runs: dict[str, dict[str, Any]] = {}
    for name, case in CASES.items():
        tell(f"verify: {case.title}, {run_seconds(options):.0f} s")
        try:
            found = one_run(options.python, case, run_seconds(options))
        except NotRunError as error:
            found = {"not_run": str(error)}
        runs[name] = {"title": case.title, "pair": case.pair.told(), **found}
        tell(f"    {found}")
    return {"wait_seconds": WAIT_SECONDS, "seconds_a_run": run_seconds(options), "runs": runs}


def setup(case: Case) -> Setup:
    """The server."""
    lines = ("worker_class = 'gthread'", f"threads = {case.threads}", f"keepalive = {case.pair.gunicorn_keepalive}")
    told = {"FAULTS_WAIT_SECONDS": str(WAIT_SECONDS), "FAULTS_BOOT_SECONDS": str(case.boot_seconds)}
    settings = {"min_workers": WORKERS, "max_workers": case.max_workers}
    return Setup(lines, settings, told, unix=True, notes=False)


def one_run(python: str, case: Case, run_for: float) -> dict[str, Any]:
    """The last seconds, and every growth."""
    with serving(python, setup(case)) as running, ExitStack() as stack:
        site = Site("app", f"unix:{running.unix}", case.pair)
        target = site.target(stack.enter_context(nginx(running.folder, [site])))
        stack.enter_context(asking(target, case.clients, running.folder))
        time.sleep(LATE_SECONDS)
        if case.late_clients:
            stack.enter_context(asking(target, case.late_clients, running.folder))
        time.sleep(run_for - LATE_SECONDS - LAST_SECONDS)
        before, _ = look(running)
        time.sleep(LAST_SECONDS)
        after, verdict = look(running)
        return figures(before, after, running.log, verdict)


def look(running: Running) -> tuple[dict[int, int], str]:
    """(requests by pid of every ready worker, the verdict); NotRunError when the exporter does not answer."""
    for _ in range(10):
        with suppress(OSError, ValueError, KeyError):
            return dict(counts_of(running)), str(status(running.server.metrics_port)["bottleneck"])
        time.sleep(0.1)
    raise NotRunError("/status.json does not answer")


def figures(before: dict[int, int], after: dict[int, int], log: str, verdict: str) -> dict[str, Any]:
    """What the workers served in between, and what the law said. Pure."""
    served = [count - before.get(pid, count) for pid, count in after.items()]
    taken_back = len(TAKEN_BACK.findall(log))
    return {
        "per_second": round(sum(served) / LAST_SECONDS, 1),
        "served": sorted(served, reverse=True),
        "ready": len(served),
        "growths": len(GROWN.findall(log)),
        "taken_back": taken_back,
        "verdict": verdict,
        "misjudged": bool(taken_back) or verdict in WRONG,
    }
