"""POSTs to connections that expire: the pair of settings that the guides give, and ours.

Each site is a Gunicorn of its own behind an upstream of its own, with its own traffic: many side by side give many
requests in little time without any of them being busier than it would be alone. Traffic of others on the same Gunicorn
would wake its loops and hide the race. No autotune runs here: the race is between Gunicorn and nginx.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.arithmetic import kind_of as outcome
from benchmarks.faults.arithmetic import rightly_answered, rounded
from benchmarks.faults.options import NotRunError, Tell
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.sender import BODY, PATIENCE_SECONDS
from benchmarks.nginx import plans
from benchmarks.nginx.front import GUIDE, OURS, Pair, Site, nginx
from benchmarks.nginx.options import Options
from benchmarks.nginx.plain import TCP, UNIX, Plain, plains
from benchmarks.openloop import Request, Target
from benchmarks.openloop.generator import MAX_OPEN, SPARE_FILES, Generator, allow_open_files
from benchmarks.openloop.results import percentile

KEPT = 256
START_SECONDS = 20.0
"""What so many servers take to come up and to leave, about."""


@dataclass(frozen=True)
class Run:
    """One pair of settings on one kind of server."""

    title: str
    pair: Pair
    worker_class: str
    way: str
    sites: int
    seconds: float


RUNS = {
    "guide": Run("gthread, TCP, the guides' pair", GUIDE, "gthread", TCP, 32, 30.0),
    "gthread_tcp": Run("gthread, TCP, ours", OURS, "gthread", TCP, 64, 60.0),
    "gthread_unix": Run("gthread, UNIX, ours", OURS, "gthread", UNIX, 64, 60.0),
    "sync_tcp": Run("sync, TCP, ours", OURS, "sync", TCP, 48, 30.0),
    "sync_unix": Run("sync, UNIX, ours", OURS, "sync", UNIX, 48, 30.0),
}
QUICK_SITES, QUICK_SECONDS = 8, 12.0


class Posts(Generator):
    """A POST at each moment to the site it is for, over connections that nginx never closes first."""

    def __init__(self, front: Target, paths: Sequence[str], plan: Sequence[plans.Moment]) -> None:
        super().__init__(front, b"", [at for at, _ in plan], KEPT, PATIENCE_SECONDS, MAX_OPEN)
        self.messages = [
            f"POST {path} HTTP/1.1\r\nHost: {front.host_header}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
            for path in paths
        ]
        self.sites = [site for _, site in plan]

    def message_of(self, index: int) -> bytes:
        """To the site whose turn it is."""
        return self.messages[self.sites[index]]

    async def drive(self) -> list[Request]:
        """Send everything and wait for every answer or the end of its patience."""
        allow_open_files(MAX_OPEN + SPARE_FILES)
        gc.disable()  # as benchmarks.openloop.run does: a collection would make the generator late
        try:
            return await self.go()
        finally:
            self.close()
            gc.enable()


def chosen(options: Options) -> dict[str, Run]:
    """The runs, all of them short when it is only tried."""
    if not options.quick:
        return RUNS
    return {
        name: Run(one.title, one.pair, one.worker_class, one.way, QUICK_SITES, QUICK_SECONDS)
        for name, one in RUNS.items()
    }  # fmt: skip


def seconds(options: Options) -> float:
    """What the cell takes."""
    return sum(one.seconds + START_SECONDS * one.sites / 48 for one in chosen(options).values())


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every run in turn; one that cannot run says why."""
    runs: dict[str, dict[str, Any]] = {}
    for number, (name, one) in enumerate(chosen(options).items()):
        tell(f"race: {one.title}, {one.sites} sites, {one.seconds:.0f} s")
        try:
            found = one_run(options.python, one, number)
        except NotRunError as error:
            found = {"not_run": str(error)}
        runs[name] = {"title": one.title, "sites": one.sites, "seconds": one.seconds, "pair": one.pair.told(), **found}
        tell(f"    {told(runs[name])}")
    return {"runs": runs}


def one_run(python: str, one: Run, seed: int) -> dict[str, Any]:
    """Servers, nginx, load, figures."""
    plan = plans.plan(one.sites, one.seconds, seed)
    made = [Plain(one.worker_class, one.way, one.pair.gunicorn_keepalive)] * one.sites
    with tempfile.TemporaryDirectory(prefix="autotune-") as name, plains(python, made, Path(name)) as running:
        sites = [Site(f"s{number}", server.address, one.pair) for number, server in enumerate(running)]
        with nginx(Path(name), sites) as front:
            requests = asyncio.run(Posts(front.target, [f"/{site.name}/" for site in sites], plan).drive())
            return figures(requests, plan) | said(front)


def said(front: Proxy) -> dict[str, Any]:
    """By nginx, of Gunicorn."""
    return {"nginx_errors": front.errors()}


def figures(requests: Sequence[Request], plan: Sequence[plans.Moment]) -> dict[str, Any]:
    """How the POSTs fared, by traffic. Pure."""
    by_kind = {kind: {"posts": 0, "failed": 0} for kind in (plans.BURSTS, plans.AIMED)}
    for request, (_, site) in zip(requests, plan, strict=True):
        counts = by_kind[plans.kind_of(site)]
        counts["posts"] += 1
        counts["failed"] += not rightly_answered(request)
    bad = Counter(outcome(one) for one in requests if not rightly_answered(one))
    good = sorted(one.latency_seconds for one in requests if rightly_answered(one))
    return {
        "posts": len(requests),
        "failed": bad.total(),
        "failed_by_kind": dict(bad.most_common()),
        "traffic": by_kind,
        "p50_seconds": rounded(percentile(good, 0.5)),
        "p99_seconds": rounded(percentile(good, 0.99)),
        "lateness_p99_seconds": rounded(percentile(sorted(one.lateness_seconds for one in requests), 0.99)),
    }


def told(found: dict[str, Any]) -> str:
    """One line of progress."""
    if "not_run" in found:
        return f"not run: {found['not_run']}"
    return f"{found['failed']} of {found['posts']} failed {found['failed_by_kind']}, nginx said {found['nginx_errors']}"
