"""A random workload from a seed: cores, service time, CPU share, spread, boots, pattern, and a database now and then.

K 1 to 4; service 10 ms to 1 s and CPU share 0.02 to 1, log-uniform; three spreads; boots of 0.05, 0.5, 2 or 8 CPU
seconds; five patterns of 600 s; a quarter with a pool or a database that slows down. The peak is 2 to 40 Erlangs,
log-uniform, and at most 1.1 K cores, 250 requests a second, and 1.2 times what the database can do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

from benchmarks.simulation.peers.clairvoyant import best_count, throughput
from benchmarks.simulation.workload import Workload

from gunicorn_autotune.testing import Application, Load, Machine, bursts, day, noisy, steps

SECONDS = 600
BOOT_CPU_SECONDS = (0.05, 0.5, 2.0, 8.0)
SPREADS = ("constant", "exponential", "heavy")
DATABASE_SHARE = 0.25
PEAK_ERLANGS = (2.0, 40.0)
PEAK_CPU_SHARE = 1.1
PEAK_RATE = 250.0
"""More makes a run slow and no different."""
PEAK_DATABASE_SHARE = (0.6, 1.2)


def drawn(seed: int, index: int) -> Workload:
    """Workload `index` of `seed`; every one is drawn apart."""
    random = Random(f"workload {seed} {index}")
    cores = float(random.randint(1, 4))
    application = _application(random)
    peak = _peak_rate(random, application, cores)
    application, peak = _with_database(random, application, peak)
    pattern = random.choice(list(PATTERNS))
    load = scaled(PATTERNS[pattern](random), peak)
    about = _about(application, cores, pattern, peak)
    return Workload(f"{seed}/{index}", application, load, Machine(cores=cores), seed=1000 * seed + index, about=about)


def _application(random: Random) -> Application:
    service, share = log_uniform(random, 0.01, 1.0), log_uniform(random, 0.02, 1.0)
    return Application(
        cpu_seconds=service * share,
        wait_seconds=service * (1.0 - share),
        spread=random.choice(SPREADS),
        boot_cpu_seconds=random.choice(BOOT_CPU_SECONDS),
    )


def _peak_rate(random: Random, application: Application, cores: float) -> float:
    service = application.cpu_seconds + application.wait_seconds
    rate = log_uniform(random, *PEAK_ERLANGS) / service
    return min(rate, PEAK_CPU_SHARE * cores / application.cpu_seconds, PEAK_RATE)


def _with_database(random: Random, application: Application, peak: float) -> tuple[Application, float]:
    if random.random() >= DATABASE_SHARE or application.wait_seconds <= 0.0:
        return application, peak
    used = random.uniform(*PEAK_DATABASE_SHARE)
    if random.random() < 0.5:
        return replace(application, pool=max(2, round(peak * application.wait_seconds / used))), peak
    best, contention = random.randint(6, 24), random.uniform(0.05, 0.4)
    slow = replace(application, contention=contention, coherency=(1.0 - contention) / best**2)
    return slow, min(peak, used * throughput(slow, best_count(slow)))


def _steps(random: Random) -> Load:
    count = random.randint(3, 6)
    return steps(*((SECONDS / count, random.uniform(0.05, 1.0)) for _ in range(count)))


def _ramps(random: Random) -> Load:
    if random.random() < 0.5:
        return day(SECONDS, peak=1.0)
    low, top = random.uniform(0.05, 0.5), random.uniform(0.2, 0.8) * SECONDS
    rise = [low + (1.0 - low) * min(second / top, (SECONDS - second) / (SECONDS - top)) for second in range(SECONDS)]
    return Load(tuple(rise))


def _bursts(random: Random) -> Load:
    every = round(log_uniform(random, 20.0, 300.0))
    return bursts(SECONDS, every=every, lasting=every * random.uniform(0.1, 0.5), low=random.uniform(0.02, 0.3), high=1)


def _noisy(random: Random) -> Load:
    base = day(SECONDS, peak=1.0) if random.random() < 0.5 else steps((SECONDS, 1.0))
    return noisy(base, random.randrange(10**9), share=random.uniform(0.1, 0.4), spike_every=random.choice((0.0, 120.0)))


def _jump(random: Random) -> Load:
    at = random.uniform(0.2, 0.6) * SECONDS
    return steps((at, random.uniform(0.02, 0.5)), (SECONDS - at, 1.0))


PATTERNS: dict[str, Callable[[Random], Load]] = {
    "steps": _steps,
    "ramps": _ramps,
    "bursts": _bursts,
    "noisy": _noisy,
    "jump": _jump,
}


def scaled(load: Load, peak: float) -> Load:
    """`load` with its highest rate at `peak`."""
    highest = max(load.rates)
    return Load(tuple(rate * peak / highest for rate in load.rates), load.clumped)


def log_uniform(random: Random, low: float, high: float) -> float:
    """Every doubling is as likely as the next."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def _about(application: Application, cores: float, pattern: str, peak: float) -> str:
    service = application.cpu_seconds + application.wait_seconds
    parts = [
        f"K {cores:.0f}",
        f"{service * 1e3:.0f} ms {application.spread}",
        f"CPU {application.cpu_seconds / service:.0%}",
        f"boot {application.boot_cpu_seconds:g} s",
        f"{pattern} to {peak:.1f} rps = {peak * service:.1f} E",
    ]
    if application.pool is not None:
        parts.append(f"pool {application.pool}")
    elif application.contention:
        parts.append(f"database best with {best_count(application)}")
    return ", ".join(parts)
