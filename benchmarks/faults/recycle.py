"""Recycles under load, GETs and POSTs: ours with replacement first, beside Gunicorn's own max_requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.faults import proxy
from benchmarks.faults.measure import measured
from benchmarks.faults.options import QUICK_SECONDS, NotRunError, Options, Tell
from benchmarks.faults.sender import Sender
from benchmarks.faults.server import Running, Setup, serving
from benchmarks.openloop import Phase, Target, schedule

from gunicorn_autotune.model.policy import Policy

RATE = 400.0
WORKERS = 4
MAX_REQUESTS, JITTER = 400, 40
"""About one worker a second is due."""
POSTS_EVERY = 2
KEPT = 64
WAIT_SECONDS, BOOT_SECONDS = 0.002, 0.3
OURS, NATIVE = "ours", "native"
WHO = {OURS: "autotune", NATIVE: "Gunicorn's own"}
_ACTIVE = {
    "min_workers": WORKERS, "max_workers": 2 * WORKERS, "tick_seconds": 0.1,
    "recycle_gap_seconds": 0, "recycles_per_hour": 36000, "recycle_lifetime_seconds": 0,
}  # fmt: skip
_OBSERVE = {"mode": "observe", "max_workers": 2 * WORKERS, "tick_seconds": 0.1}


@dataclass(frozen=True)
class Combination:
    """A worker class and the way to it."""

    title: str
    lines: tuple[str, ...] = ()
    behind: bool = False
    kept: int = 0
    """Connections that clients keep for reuse."""


_GTHREAD = ("worker_class = 'gthread'", "threads = 4", "keepalive = 10")
COMBINATIONS = {
    "sync": Combination("sync, direct, new connections"),
    "gthread": Combination("gthread, direct, new connections", _GTHREAD),
    "gthread_kept": Combination("gthread, direct, kept connections", _GTHREAD, kept=KEPT),
    "sync_nginx": Combination("sync, behind nginx", ("keepalive = 10",), True, KEPT),
    "gthread_nginx": Combination("gthread, behind nginx, kept upstream connections", _GTHREAD, True, KEPT),
}


def seconds_of(options: Options) -> float:
    """Of each run, so that all combinations together come to the recycles asked for."""
    if options.quick:
        return QUICK_SECONDS
    return max(5.0, options.recycles / len(COMBINATIONS) * MAX_REQUESTS / RATE)


def minutes(options: Options) -> float:
    """What the cell takes."""
    return len(COMBINATIONS) * len(WHO) * (seconds_of(options) + 7.0) / 60.0


def setup(name: str, who: str) -> Setup:
    """The server of one run."""
    combination = COMBINATIONS[name]
    lines = (f"workers = {WORKERS}", f"max_requests = {MAX_REQUESTS}", f"max_requests_jitter = {JITTER}")
    told = {"FAULTS_WAIT_SECONDS": str(WAIT_SECONDS), "FAULTS_BOOT_SECONDS": str(BOOT_SECONDS)}
    settings = _ACTIVE if who == OURS else _OBSERVE
    return Setup((*lines, *combination.lines), settings, told, unix=combination.behind)


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every combination, ours then Gunicorn's own; one that cannot run says why."""
    seconds = seconds_of(options)
    runs: dict[str, dict[str, Any]] = {}
    for name, combination in COMBINATIONS.items():
        runs[name] = {"title": combination.title}
        for who, word in WHO.items():
            tell(f"recycle: {combination.title}, {word}, {seconds:.0f} s")
            runs[name][who] = one_run(options, name, who, seconds, tell)
            tell(f"    {told(runs[name][who])}")
    return {
        "requests_per_second": RATE, "workers": WORKERS, "max_requests": MAX_REQUESTS, "jitter": JITTER,
        "boot_seconds": BOOT_SECONDS, "wait_seconds": WAIT_SECONDS, "posts_every": POSTS_EVERY,
        "nginx": proxy.POOL, "seconds_a_run": seconds, "runs": runs,
    }  # fmt: skip


def one_run(options: Options, name: str, who: str, seconds: float, tell: Tell) -> dict[str, Any]:
    """Figures, or why there are none."""
    try:
        made = checked(setup(name, who))
        with serving(options.python, made) as running, way_to(running, COMBINATIONS[name]) as (target, before):
            moments = schedule([Phase(RATE, seconds)])
            sender = Sender(target, moments, tell, kept=COMBINATIONS[name].kept, posts_every=POSTS_EVERY)
            found = measured(running, sender)
            found.pop("timeline")
            errors = {"nginx_errors": before.errors()} if before else {}
            return made.told() | found | errors
    except NotRunError as error:
        return {"not_run": str(error)}


@contextmanager
def way_to(running: Running, combination: Combination) -> Iterator[tuple[Target, proxy.Proxy | None]]:
    """Straight to it, or through nginx."""
    if not combination.behind:
        yield running.target, None
        return
    with proxy.nginx(running.folder, running.unix) as before:
        yield before.target, before


def checked(made: Setup) -> Setup:
    """The setup, if this autotune has its settings."""
    known = {field.name for field in dataclasses.fields(Policy)}
    if unknown := [name for name in made.settings if name not in known]:
        raise NotRunError(f"this gunicorn-autotune has no setting {', '.join(unknown)}")
    return made


def told(found: dict[str, Any]) -> str:
    """One line of progress."""
    if "not_run" in found:
        return f"not run: {found['not_run']}"
    return (
        f"{found['recycles']} recycles, {found['failed']} of {found['requests']} failed {found['failed_by_kind']},"
        f" to send again {found['send_again']}, lowest ready {found['lowest_ready']}, p99 {found['p99_seconds']} s"
    )
