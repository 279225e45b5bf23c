"""How long until a worker that was added gets its share, when nginx keeps its connections.

A kept connection stays with the worker that accepted it: a new worker waits until nginx opens new ones. From TTIN, so
the boot counts too, to the first look at which the new worker has served half of an equal share of the last second's
requests, by its own count in /status.json. Autotune only observes: the steps are ours alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.demo_server import started
from benchmarks.faults.options import ROOT, NotRunError, Tell
from benchmarks.faults.server import Running, Setup, serving
from benchmarks.micro.status import status
from benchmarks.nginx.front import DEFAULTS, OURS, Pair, Site, nginx
from benchmarks.nginx.options import Options
from benchmarks.nginx.plain import CLASSES, TCP, UNIX
from benchmarks.openloop import Target

WORKERS = 2
CLIENTS = 16
WAIT_SECONDS = 0.02
LOOK_SECONDS = 0.1
WINDOW_SECONDS = 1.0
SHARE = 0.5
WARM_SECONDS = 3.0
CALM_SECONDS = 3.0
"""After the added worker is taken away again: 2 s for its kept connections and one more."""
SETTINGS = {"mode": "observe", "min_workers": WORKERS, "max_workers": 8, "tick_seconds": 0.1}
Counts = Mapping[int, int]
"""Requests finished, by pid; a worker goes on from the count of its slot."""


@dataclass(frozen=True)
class Group:
    """Two servers measured side by side, over TCP and over UNIX."""

    worker_class: str
    pair: Pair
    repeats: int
    longest_seconds: float


GROUPS = (
    Group("gthread", OURS, 5, 15.0),
    Group("sync", OURS, 5, 15.0),
    Group("gthread", DEFAULTS, 2, 75.0),
    Group("sync", DEFAULTS, 3, 15.0),
)
EXPECTED_SECONDS = {OURS.title: 3.0, DEFAULTS.title: 45.0}


@dataclass
class Newcomer:
    """A worker that was asked for, and what has been seen since."""

    began: float
    before: frozenset[int]
    looks: deque[tuple[float, Counts]] = field(default_factory=deque)
    seconds: float | None = None

    def look(self, now: float, counts: Counts) -> None:
        """Note the counts of this moment; `seconds` is set once the share is there."""
        self.looks.append((now, counts))
        while len(self.looks) > 1 and self.looks[1][0] <= now - WINDOW_SECONDS:
            self.looks.popleft()
        if self.seconds is None and has_its_share([one for _, one in self.looks], self.before):
            self.seconds = round(now - self.began, 2)


def has_its_share(looks: Sequence[Counts], old: frozenset[int]) -> bool:
    """Whether a worker that is not among the old has served SHARE of an equal part of what these looks saw served.

    Each is counted from the first look that saw it. Pure.
    """
    first: dict[int, int] = {}
    for counts in looks:
        first = {**counts, **first}
    served = {pid: count - first[pid] for pid, count in looks[-1].items()}
    new = [count for pid, count in served.items() if pid not in old]
    return bool(new) and min(new) > 0 and min(new) >= SHARE * sum(served.values()) / len(served)


def chosen(options: Options) -> Sequence[Group]:
    """The groups; when it is only tried, two repeats and not to the end."""
    if not options.quick:
        return GROUPS
    return [Group(one.worker_class, one.pair, 1, min(20.0, one.longest_seconds)) for one in GROUPS]


def group_seconds(group: Group) -> float:
    """What it takes, about."""
    expected = min(EXPECTED_SECONDS[group.pair.title] if group.worker_class != "sync" else 2.0, group.longest_seconds)
    return 4.0 + WARM_SECONDS + group.repeats * (expected + CALM_SECONDS)


def seconds(options: Options) -> float:
    """What the cell takes."""
    return sum(group_seconds(group) for group in chosen(options))


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every group in turn; one that cannot run says why."""
    runs: list[dict[str, Any]] = []
    for group in chosen(options):
        title = f"{group.worker_class}, {group.pair.title}"
        tell(f"share: {title}, {group.repeats} times, about {group_seconds(group):.0f} s")
        try:
            found = one_group(options.python, group)
        except NotRunError as error:
            found = {way: {"not_run": str(error)} for way in (TCP, UNIX)}
        for way, figures in found.items():
            runs.append({"title": f"{group.worker_class}, {way}", "pair": f"{group.pair.title}: {group.pair.told()}",
                         "ours": group.pair == OURS, **figures})  # fmt: skip
            tell(f"    {way}: {figures}")
    return {
        "workers": WORKERS, "clients": CLIENTS, "wait_seconds": WAIT_SECONDS, "share": SHARE,
        "window_seconds": WINDOW_SECONDS, "runs": runs,
    }  # fmt: skip


def one_group(python: str, group: Group) -> dict[str, dict[str, Any]]:
    """By way: seconds of each repeat, None where it did not come in time; median and worst."""
    with ExitStack() as stack:
        servers = [stack.enter_context(loaded(python, setup(group, way), group.pair, CLIENTS)) for way in (TCP, UNIX)]
        time.sleep(WARM_SECONDS)
        taken: list[list[float | None]] = [[], []]
        for _ in range(group.repeats):
            for one, seconds_taken in zip(taken, newcomers(servers, group.longest_seconds), strict=True):
                one.append(seconds_taken)
            for server in servers:
                os.kill(server.server.pid, signal.SIGTTOU)
            time.sleep(CALM_SECONDS)
    return {way: figures(found, group.longest_seconds) for way, found in zip((TCP, UNIX), taken, strict=True)}


def figures(taken: Sequence[float | None], longest: float) -> dict[str, Any]:
    """Median and worst, None where that is beyond what was waited for. Pure."""
    known = sorted(float("inf") if one is None else one for one in taken)
    middle, worst = median(known), known[-1]
    return {
        "seconds": list(taken),
        "median_seconds": None if middle == float("inf") else round(middle, 2),
        "worst_seconds": None if worst == float("inf") else worst,
        "longest_seconds": longest,
    }


def newcomers(servers: Sequence[Running], longest: float) -> list[float | None]:
    """One worker more on each server: seconds until it has its share."""
    found = [Newcomer(0.0, frozenset(counts_of(server))) for server in servers]
    for server, newcomer in zip(servers, found, strict=True):
        newcomer.began = time.monotonic()
        os.kill(server.server.pid, signal.SIGTTIN)
    deadline = time.monotonic() + longest
    while time.monotonic() < deadline and any(newcomer.seconds is None for newcomer in found):
        for server, newcomer in zip(servers, found, strict=True):
            with suppress(OSError, ValueError, KeyError):
                newcomer.look(time.monotonic(), counts_of(server))
        time.sleep(LOOK_SECONDS)
    return [newcomer.seconds for newcomer in found]


def counts_of(server: Running) -> Counts:
    """Of the workers that are ready and not leaving."""
    workers = status(server.server.metrics_port)["workers"]
    return {one["pid"]: one["requests"] for one in workers if one["state"] in ("idle", "busy")}


def setup(group: Group, way: str) -> Setup:
    """The server of one group."""
    return Setup(
        (f"workers = {WORKERS}", *lines_of(group.worker_class, group.pair)), SETTINGS,
        {"FAULTS_WAIT_SECONDS": str(WAIT_SECONDS)}, unix=way == UNIX, notes=False,
    )  # fmt: skip


def lines_of(worker_class: str, pair: Pair) -> tuple[str, ...]:
    """Of gunicorn.conf.py."""
    return (f"worker_class = {worker_class!r}", f"keepalive = {pair.gunicorn_keepalive}", *CLASSES[worker_class])


@contextmanager
def loaded(python: str, made: Setup, pair: Pair, clients: int) -> Iterator[Running]:
    """A server behind nginx with so many clients that ask again as soon as they are answered."""
    with serving(python, made) as running:
        address = f"unix:{running.unix}" if running.unix else f"127.0.0.1:{running.server.port}"
        site = Site("app", address, pair)
        with nginx(running.folder, [site]) as front, asking(site.target(front), clients, running.folder):
            yield running


@contextmanager
def asking(target: Target, clients: int, folder: Path) -> Iterator[None]:
    """`wrk` in a process of its own, ended on the way out."""
    try:
        with started(["wrk", "-t1", f"-c{clients}", "-d600s", str(target)], ROOT, folder / "wrk.txt", 0):
            yield
    except FileNotFoundError:
        raise NotRunError("wrk is not installed") from None
