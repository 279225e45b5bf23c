"""After how many requests a worker should be recycled: only where it leaks, and then as late as memory allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gunicorn_autotune.cli.plan_memory import budget_bytes
from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.model.readings import Missing, Reading

JITTER_SHARE = 0.5
"""Of max_requests: with 10 % the workers of a leaking app were recycled nearly together, with 50 % not."""
FEWEST = 100
"""Recycling more often than this costs more than the leak."""


@dataclass(frozen=True, slots=True)
class Recycle:
    """The figures of a recycling that keeps a leak inside the memory."""

    max_requests: int
    jitter: int
    room_bytes: float
    """What one worker may grow by when all have grown as far."""
    requests_in_room: float


def recycle_of(observed: Observed, workers: int) -> Reading[Recycle]:
    """For `workers` that leak; max_requests 0 where they do not. Missing: the record cannot tell."""
    memory = observed.memory
    leak, budget, fresh = memory.leak_bytes_per_request, budget_bytes(observed.policy, memory), memory.fresh_bytes
    if isinstance(leak, Missing):
        return leak
    if leak <= 0.0:
        return Recycle(0, 0, 0.0, math.inf)
    if isinstance(budget, Missing):
        return budget
    if isinstance(fresh, Missing):
        return fresh
    room = max(0.0, budget / max(1, workers) - fresh)
    requests = room / leak
    most = _rounded_down(requests / (1.0 + JITTER_SHARE))
    return Recycle(most, int(most * JITTER_SHARE), room, requests)


def _rounded_down(count: float) -> int:
    """Two digits that matter: 13_422 becomes 13_000."""
    whole = max(1, int(count))
    step = int(10 ** max(0, len(str(whole)) - 2))
    return whole // step * step
