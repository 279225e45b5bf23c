"""The dynamic oracle: staffs for the load to come, which it knows. An upper mark, nothing one could install.

It knows the mean rate of every second (not the single arrivals), mean and spread of the service time in every second,
boots, cores, pool and database. Each second it takes what is needed (`needs`): Erlang-C staffing for 50 ms and 2 %
(law.staffing) of rate x service time, the service time stretched by the expected wait for a core (M/M/K); clumped
arrivals are staffed for the clump. Above the CPU formula (1.25 K s/c + K sqrt(v)) it never goes; a
database that slows down is never given more than the count with the highest throughput.
It starts with what second 0 needs, boots for second t as early as boots on the cores left over take, plus 5 s, and
shrinks to what the next 60 s need. It is no optimum: it does not drain queues, and its means are not the arrivals.
"""

from __future__ import annotations

import math

from benchmarks.simulation.peers.paced import MAX_WORKERS, Paced, within_bounds
from benchmarks.simulation.workload import Workload

from gunicorn_autotune.law.staffing import erlang_c, staff
from gunicorn_autotune.model.snapshot import Snapshot, serving
from gunicorn_autotune.testing import Application

GOAL_SECONDS, MISS_SHARE = 0.05, 0.02
MARGIN_SECONDS = 5
KEEP_SECONDS = 60
HORIZON_SECONDS = 180
_SQUARED = {"constant": 1.0, "exponential": 2.0, "heavy": 5.0}
"""Second moment of a request's scale, mean 1."""


class Clairvoyant(Paced):
    """Knows the load ahead of time."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.workload = workload
        self.needs = needs(workload)

    @property
    def start(self) -> int:
        """Workers it begins with."""
        return self.needs[0]

    def act(self, snapshot: Snapshot) -> int:
        """The most that boots begun now can still be in time for; fewer only when 60 s need no more."""
        second, count = int(snapshot.at), len(serving(snapshot))
        ahead = self.needs[second : second + HORIZON_SECONDS] or self.needs[-1:]
        in_time = [need for after, need in enumerate(ahead) if after <= self._boot_seconds(second, need - ahead[0])]
        return max(max(in_time), min(count, max(ahead[:KEEP_SECONDS])))

    def _boot_seconds(self, second: int, missing: int) -> float:
        """Until `missing` boots are over on the cores the load leaves, with a margin; from now's need, not its count:
        a plan that has begun would else look finished, and be dropped.
        """
        application = self.workload.application_at(second)
        cores = self.workload.machine.cores
        rate = self.workload.load.rates[min(second, len(self.needs) - 1)]
        left = max(cores / 2.0, cores - rate * mean_scale(application) * application.cpu_seconds)
        wave = max(1.0, missing / left)
        return application.boot_wait_seconds + application.boot_cpu_seconds * wave + MARGIN_SECONDS


def needs(workload: Workload) -> list[int]:
    """Workers needed in each second, 2 to 64."""
    known: dict[tuple[float, int], int] = {}
    counts = []
    for second, rate in enumerate(workload.load.rates):
        application = workload.application_at(second)
        key = (round(rate, 1), id(application))
        if key not in known:
            known[key] = within_bounds(_need(rate, application, workload))
        counts.append(known[key])
    return counts


def _need(rate: float, application: Application, workload: Workload) -> int:
    cores, scale = workload.machine.cores, mean_scale(application)
    compute, wait = application.cpu_seconds * scale, application.wait_seconds * scale
    v = variability(application)
    cap = MAX_WORKERS
    if compute > 0.0:
        cap = min(cap, math.ceil(1.25 * cores * (compute + wait) / compute + cores * math.sqrt(max(1.0, v))))
    if workload.load.clumped:
        return min(cap, clump_need(rate, compute + wait))
    compute = stretched(compute, rate, cores)
    if application.contention or application.coherency:
        return min(cap, _degrading_need(rate, compute, wait, application))
    return min(cap, staff(rate * (compute + wait), compute + wait, GOAL_SECONDS, MISS_SHARE, v))


def stretched(compute: float, rate: float, cores: float) -> float:
    """CPU seconds of a request with the expected wait for one of the cores; twice at most, the clamp does the rest."""
    load, whole = rate * compute, max(1, round(cores))
    if load >= whole:
        return 2.0 * compute
    return compute * min(2.0, 1.0 + erlang_c(whole, load) / (whole - load))


def clump_need(rate: float, service: float) -> int:
    """Workers that serve a clump (mean plus two deviations) within the goal."""
    return math.ceil((rate + 2.0 * math.sqrt(rate)) / (1.0 + GOAL_SECONDS // max(service, 1e-3)))


def _degrading_need(rate: float, compute: float, wait: float, application: Application) -> int:
    best = best_count(application)
    for count in range(1, best):
        service = compute + wait * slowdown(application, count)
        if staff(rate * service, service, GOAL_SECONDS, MISS_SHARE) <= count:
            return count
    return best


def best_count(application: Application) -> int:
    """Waits at once at which the database answers most."""
    return max(range(1, MAX_WORKERS + 1), key=lambda count: throughput(application, count))


def throughput(application: Application, count: int) -> float:
    """Answers a second when `count` workers are always busy and cores are free."""
    wait = application.wait_seconds * slowdown(application, count)
    return count / (application.cpu_seconds + wait)


def slowdown(application: Application, count: int) -> float:
    """How much longer a wait takes with `count` at once."""
    return 1.0 + application.contention * (count - 1) + application.coherency * count * (count - 1)


def mean_scale(application: Application) -> float:
    """Mean length of a request against the plain one: above 1 where a share of them is slow."""
    return 1.0 + application.slow_share * (application.slow_factor - 1.0)


def variability(application: Application) -> float:
    """(1 + squared CV) / 2 of the service time, 10 at most, as the law clamps it."""
    square = _SQUARED[application.spread] * (1.0 + application.slow_share * (application.slow_factor**2 - 1.0))
    return min(10.0, square / mean_scale(application) ** 2 / 2.0)
