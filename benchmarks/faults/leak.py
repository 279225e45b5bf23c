"""An app that leaks, in a memory cgroup of its own: sized by ours, static, and static with max_requests."""

from __future__ import annotations

from typing import Any

from benchmarks.faults.group import memory_group
from benchmarks.faults.measure import measured
from benchmarks.faults.options import QUICK_SECONDS, Options, Tell
from benchmarks.faults.sender import Sender
from benchmarks.faults.server import Setup, serving
from benchmarks.openloop import Phase, schedule

LIMIT_BYTES = 300 << 20
RATE = 60.0
KEPT_BYTES = (1 << 20) // 20
BOOT_SECONDS = 0.3
OURS, STATIC, MAX_REQUESTS, LEAK_FREE = "ours", "static", "max_requests", "leak_free"
TITLES = {
    OURS: "autotune, 3 to 8 workers, defaults",
    LEAK_FREE: "autotune, the same app without the leak",
    STATIC: "Gunicorn, 4 workers, no limits",
    MAX_REQUESTS: "Gunicorn, 4 workers, max_requests 1000, jitter 100",
}
"""In the order they run: the two whose times are compared stand next to each other."""
_ACTIVE = {"min_workers": 3, "max_workers": 8}
_OBSERVE = {"mode": "observe", "max_workers": 8}


def setup(name: str) -> Setup:
    """The server of one run."""
    kept = 0 if name == LEAK_FREE else KEPT_BYTES
    told = {"FAULTS_WAIT_SECONDS": "0.02", "FAULTS_KEPT_BYTES": str(kept), "FAULTS_BOOT_SECONDS": str(BOOT_SECONDS)}
    if name in (OURS, LEAK_FREE):
        return Setup((), _ACTIVE, told)
    more = ("max_requests = 1000", "max_requests_jitter = 100") if name == MAX_REQUESTS else ()
    return Setup(("workers = 4", *more), _OBSERVE, told)


def seconds_of(options: Options) -> float:
    """Of each run."""
    return QUICK_SECONDS if options.quick else options.leak_seconds


def minutes(options: Options) -> float:
    """What the cell takes."""
    return len(TITLES) * (seconds_of(options) + 8.0) / 60.0


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every run in turn."""
    seconds = seconds_of(options)
    runs = {}
    for name, title in TITLES.items():
        tell(f"leak: {title}, {seconds:.0f} s")
        runs[name] = {"title": title, **setup(name).told(), **one_run(options, name, seconds, tell)}
        tell(f"    {told(runs[name])}")
    return {
        "limit_bytes": LIMIT_BYTES, "requests_per_second": RATE, "seconds_a_run": seconds,
        "kept_bytes": KEPT_BYTES, "boot_seconds": BOOT_SECONDS, "runs": runs,
    }  # fmt: skip


def one_run(options: Options, name: str, seconds: float, tell: Tell) -> dict[str, Any]:
    """In a fresh group."""
    with memory_group(LIMIT_BYTES) as group, serving(options.python, setup(name), group) as running:
        sender = Sender(running.target, schedule([Phase(RATE, seconds)]), tell)
        return measured(running, sender, group)


def told(found: dict[str, Any]) -> str:
    """One line of progress."""
    return (
        f"{found['oom_kills']} OOM kills, {found['failed']} of {found['requests']} failed, exits {found['exits']},"
        f" lowest ready {found['lowest_ready']}, p99 {found['p99_seconds']} s"
    )
