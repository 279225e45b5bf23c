"""What is served: named scenarios that each ask one question, and random sets by seed that ask for luck.

A law is tuned on TUNING_SEEDS and on the named scenarios, and judged on FRESH_SEEDS; the two never mix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmarks.simulation.drawn import drawn
from benchmarks.simulation.workload import Workload

from gunicorn_autotune.testing import (
    Application,
    Change,
    Load,
    Machine,
    at_once,
    bursts,
    day,
    noisy,
    steps,
)

TUNING_SEEDS = (1, 2, 3, 4, 5)
"""Looked at while the law's constants were chosen."""
FRESH_SEEDS = tuple(range(101, 111))
"""Kept apart: nobody looks at single workloads of these before the constants are final."""
FRESH_EACH = 8
NAMED_SEEDS = tuple(range(201, 211))
"""Arrivals of the named scenarios."""

IO = Application(cpu_seconds=0.002, wait_seconds=0.098)
CPU = Application(cpu_seconds=0.02, wait_seconds=0.0)


def workload_set(seed: int, count: int) -> list[Workload]:
    """The first `count` random workloads of a seed; the same for ever, and a longer set begins with the shorter."""
    return [drawn(seed, index) for index in range(count)]


def named(name: str, seed: int) -> Workload:
    """A named scenario with the arrivals of `seed`."""
    return replace(NAMED[name](seed), name=name, seed=seed)


def _scenario(
    about: str, application: Application, load: Load | Callable[[int], Load], changes: tuple[Change, ...] = ()
) -> Callable[[int], Workload]:
    def make(seed: int) -> Workload:
        found = load if isinstance(load, Load) else load(seed)
        return Workload("", application, found, Machine(cores=2.0), changes, seed, about)

    return make


_DEGRADING = Application(cpu_seconds=0.001, wait_seconds=0.0173, contention=0.3, coherency=0.00486)
"""Throughput 134/s with 12 at once, a third less with 64."""

NAMED: dict[str, Callable[[int], Workload]] = {
    "cpu-step": _scenario(
        "CPU-bound, 20 ms, 40 -> 75 -> 130 (overload) -> 30 rps on 2 cores",
        CPU, steps((150, 40), (150, 75), (150, 130), (150, 30)),
    ),
    "io-step": _scenario("I/O, 100 ms, 10 -> 200 -> 10 rps", IO, steps((120, 10), (240, 200), (240, 10))),
    "slow-boot": _scenario(
        "I/O, 100 ms, imports of 10 CPU seconds, 10 -> 120 rps",
        replace(IO, boot_cpu_seconds=10.0), steps((120, 10), (480, 120)),
    ),
    "db-pool": _scenario(
        "a pool of 10 connections, 79 ms, 60 -> 160 (overload) -> 60 rps",
        Application(cpu_seconds=0.002, wait_seconds=0.079, pool=10), steps((240, 60), (120, 160), (240, 60)),
    ),
    "db-degrades": _scenario(
        "a database best with 12 at once, 40 -> 150 (overload) -> 40 rps",
        _DEGRADING, steps((60, 40), (480, 150), (60, 40)),
    ),
    "latency-shift": _scenario(
        "I/O, 50 -> 500 ms after 150 s, 60 rps all along",
        Application(cpu_seconds=0.002, wait_seconds=0.048), steps((600, 60)),
        (Change(150.0, Application(cpu_seconds=0.002, wait_seconds=0.498)),),
    ),
    "bursts-30s": _scenario(
        "I/O, 100 ms, 5 rps, 150 rps for 10 s of every 30",
        IO, bursts(600, every=30, lasting=10, low=5, high=150),
    ),
    "bursts-5min": _scenario(
        "I/O, 100 ms, boots of 4 CPU seconds, 5 rps, 150 rps for 60 s of every 5 min",
        replace(IO, boot_cpu_seconds=4.0), bursts(1200, every=300, lasting=60, low=5, high=150),
    ),
    "slow-requests": _scenario(
        "I/O, 50 ms, 1 % of the requests 100 times slower, 60 rps",
        Application(cpu_seconds=0.002, wait_seconds=0.048, slow_share=0.01), steps((600, 60)),
    ),
    "slow-requests-cpu": _scenario(
        "CPU-bound, 10 ms, 1 % of the requests 100 times slower, 60 rps on 2 cores",
        replace(CPU, cpu_seconds=0.01, slow_share=0.01), steps((600, 60)),
    ),
    "micro-bursts": _scenario(
        "I/O, 20 ms, 20 requests at once at the beginning of each second",
        Application(cpu_seconds=0.002, wait_seconds=0.018), at_once(steps((600, 20))),
    ),
    "noisy-day": _scenario(
        "I/O, 100 ms, a day in 15 min, peak 100 rps, noise of 30 %, doublings of 5 to 30 s",
        IO, lambda seed: noisy(day(900, peak=100.0), seed, share=0.3, spike_every=180.0),
    ),
    "idle-night": _scenario("I/O, 100 ms, 40 rps for 3 min, then 0.2", IO, steps((180, 40), (720, 0.2))),
}  # fmt: skip
