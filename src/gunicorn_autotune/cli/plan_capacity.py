"""How many requests a second this host could take, if nothing but their number changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_staffing import Bound, Staffing, is_event_loop, slots_of, slows_downstream
from gunicorn_autotune.law.staffing import staff
from gunicorn_autotune.model.readings import Missing, Reading

FAR = 3.0
"""Times the peak seen; a figure beyond that is an extrapolation, and says so."""
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Capacity:
    """The lowest of the bounds."""

    requests_per_second: float
    limited_by: Bound
    full_requests_per_second: float
    """What it does at most: beyond that the queue only grows."""
    bounds: Mapping[Bound, float]
    """Requests per second that each limit allows; one that is unknown is absent."""
    cores_share: Reading[float]
    """Share of the cores in use at that rate."""
    times_seen: float
    """That rate over the peak in the record."""

    @property
    def far(self) -> bool:
        """Whether the record says little about such a load."""
        return self.times_seen > FAR


def capacity_of(observed: Observed, staffing: Staffing) -> Reading[Capacity]:
    """The rate at which queue times still meet the goal, and what sets it."""
    servers = servers_of(observed, staffing)
    bounds = {name: highest_load(observed, *one) / one[1] for name, one in servers.items()}
    most = [count / seconds for count, seconds in servers.values()]
    if slows_downstream(observed):
        bounds[Bound.DOWNSTREAM] = observed.load.throughput_peak
        most.append(observed.load.throughput_peak)
    if not bounds:
        return Missing("neither the cores in use nor the memory of a worker could be read")
    limit = min(bounds, key=lambda name: bounds[name])
    return Capacity(
        requests_per_second=bounds[limit],
        limited_by=limit,
        full_requests_per_second=min(most),
        bounds=bounds,
        cores_share=_cores_share(observed, bounds[limit]),
        times_seen=bounds[limit] / observed.load.arrivals_per_second_peak,
    )


def _cores_share(observed: Observed, per_second: float) -> Reading[float]:
    each, cores = observed.cpu.seconds_per_request, observed.cpu.cores
    if isinstance(each, Missing):
        return each
    return cores if isinstance(cores, Missing) else per_second * each / cores


def servers_of(observed: Observed, staffing: Staffing) -> dict[Bound, tuple[int, float]]:
    """(servers, seconds of each request) of Erlang-C for each limit: slots that fit, or cores and CPU time."""
    found = {}
    cores, each, seconds = observed.cpu.cores, observed.cpu.seconds_per_request, observed.load.service_seconds
    if not isinstance(cores, Missing) and not isinstance(each, Missing) and each > 0.0:
        count = max(1, math.floor(cores))
        found[Bound.CPU] = (count, each * count / cores)
    for name in (Bound.MEMORY, Bound.MAX_WORKERS):
        if name in staffing.caps and seconds > 0.0 and not is_event_loop(observed):
            workers = max(observed.policy.min_workers, staffing.caps[name])
            found[name] = (slots_of(workers, staffing.threads), seconds)
    return found


def highest_load(observed: Observed, slots: int, service_seconds: float) -> float:
    """The most Erlangs that `slots` take with few enough requests waiting longer than the goal."""
    policy, low, high = observed.policy, 0.0, float(slots)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        needed = staff(
            middle, service_seconds, policy.queue_time_goal_seconds, policy.queue_time_miss_share, observed.variability
        )
        low, high = (middle, high) if needed <= slots else (low, middle)
    return low
