"""Requests drawn from an application and a load, the same for every controller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from gunicorn_autotune.testing.load import Load, Trace
from gunicorn_autotune.testing.processes import Request
from gunicorn_autotune.testing.world import Application


def requests_of(application: Application, load: Load | Trace, seed: int) -> list[Request]:
    """The same for every controller: drawn before anything runs."""
    if isinstance(load, Trace):
        return [Request(at, 1.0, True, (cpu, wait)) for at, cpu, wait in load.requests]
    random = Random(seed)
    times = load.arrivals(random)
    drawn = scales(random, application.spread, len(times))
    requests = []
    for at, scale in zip(times, drawn, strict=True):
        slow = application.slow_share > 0.0 and random.random() < application.slow_share
        pooled = application.pooled_share >= 1.0 or random.random() < application.pooled_share
        requests.append(Request(at, scale * application.slow_factor if slow else scale, pooled))
    return requests


def scales(random: Random, spread: str, count: int) -> Sequence[float]:
    """How long each request is against the mean: mean 1."""
    if spread == "constant":
        return [1.0] * count
    if spread == "exponential":
        return [random.expovariate(1.0) for _ in range(count)]
    if spread == "heavy":
        return [_heavy(random) for _ in range(count)]
    raise ValueError(f"spread = {spread!r}: must be constant, exponential or heavy")


_HEAVY_SHARE = (1.0 - math.sqrt(3.0 / 5.0)) / 2.0
"""Hyperexponential of two branches with balanced means and squared CV c = 4: p = (1 - sqrt((c-1)/(c+1))) / 2."""
_HEAVY_LONG = 2.0 * _HEAVY_SHARE
_HEAVY_SHORT = 2.0 * (1.0 - _HEAVY_SHARE)


def _heavy(random: Random) -> float:
    return random.expovariate(_HEAVY_LONG if random.random() < _HEAVY_SHARE else _HEAVY_SHORT)
