"""How many slots a load needs so that few requests wait longer than the goal: Erlang-C, and workers from slots."""

from __future__ import annotations

import math

_EXACT_UP_TO = 100.0
"""Erlangs up to which the recursion runs (one step per slot); above, the square-root law is within one slot."""
_POOLING_SHARE = 0.85
"""Threads of one worker cannot take over the queue of another: gunicorn#3433, puma#2079."""
_GIL_SHARE = 0.7
"""Cores one Python process can use before its threads wait for the GIL."""


def erlang_c(slots: int, load: float) -> float:
    """Probability that an arrival waits, `slots` servers and `load` Erlangs offered; 1 when load >= slots.

    B by the recursion 1/B(i) = 1 + i/a * 1/B(i-1), C = B / (1 - rho + rho*B)  (A. K. Erlang, 1917).
    """
    if load <= 0.0:
        return 0.0
    if load >= slots:
        return 1.0
    inverse = 1.0
    for i in range(1, slots + 1):
        inverse = 1.0 + inverse * i / load
    return _waiting_share(1.0 / inverse, load / slots)


def staff(load: float, service_seconds: float, goal_seconds: float, miss_share: float, variability: float = 1.0) -> int:
    """The least n > load with ErlangC(n, load) * exp(-(n - load) * goal / (s * v)) <= miss_share; 0 for no load.

    P(wait > t) of the M/M/n queue; `variability` v = (1 + squared CV of service time) / 2 stretches the waits of
    M/G/n (Allen-Cunneen).
    """
    if load <= 1e-9:
        return 0
    decay = goal_seconds / (max(service_seconds, 1e-4) * variability)
    if load > _EXACT_UP_TO:
        return _staff_many(load, decay, miss_share)
    inverse, slots = 1.0, 0
    while True:
        slots += 1
        inverse = 1.0 + inverse * slots / load
        if slots > load:
            waits = _waiting_share(1.0 / inverse, load / slots)
            if waits * math.exp(-(slots - load) * decay) <= miss_share:
                return slots


def _staff_many(load: float, decay: float, miss_share: float) -> int:
    """The same for many slots, where C is 1 / (1 + beta * Phi(beta) / phi(beta)), n = a + beta * sqrt(a).

    Halfin and Whitt 1981; 12 evaluations whatever the load.
    """
    low = math.floor(load) + 1
    high = low + math.ceil(10.0 * math.sqrt(load))
    while low < high:
        middle = (low + high) // 2
        beta = (middle - load) / math.sqrt(load)
        density = math.exp(-beta * beta / 2.0) / math.sqrt(2.0 * math.pi)
        below = 0.5 * (1.0 + math.erf(beta / math.sqrt(2.0)))
        waits = density / (density + beta * below)
        if waits * math.exp(-(middle - load) * decay) <= miss_share:
            high = middle
        else:
            low = middle + 1
    return low


def workers_for(slots: int, threads: int, cpu_cores: float = 0.0) -> int:
    """Workers that hold `slots`: slots / (0.85 * threads), and never less than the GIL needs for `cpu_cores`.

    One thread a worker: a slot is a worker. Event loops report about 1000 threads, so the CPU term decides.
    """
    if threads <= 1:
        return slots
    return max(_up(slots / (_POOLING_SHARE * threads)), processes_for_cpu(cpu_cores))


def processes_for_cpu(cpu_cores: float) -> int:
    """Processes that can burn `cpu_cores` without their threads queueing for the GIL: C / 0.7."""
    return _up(cpu_cores / _GIL_SHARE)


def _up(count: float) -> int:
    """Rounded up, but 3.0000000000000004 is 3."""
    return math.ceil(count - 1e-9)


def _waiting_share(blocked: float, utilisation: float) -> float:
    return blocked / (1.0 - utilisation + utilisation * blocked)
