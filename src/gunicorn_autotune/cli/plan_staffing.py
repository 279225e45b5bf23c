"""How many workers and threads a fixed configuration needs for the load seen, and what does not let it have them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gunicorn_autotune.cli.plan_memory import budget_bytes, mature_bytes
from gunicorn_autotune.cli.plan_observed import Load, Observed
from gunicorn_autotune.law.crew import EVENT_LOOP_FROM
from gunicorn_autotune.law.staffing import staff, workers_for
from gunicorn_autotune.model.decisions import Bottleneck
from gunicorn_autotune.model.readings import Missing, Reading, known

MEMORY_MARGIN = 1.15
"""A worker may become this much larger than the largest seen, as the law has it."""
CPU_MARGIN = 1.25
CPU_IDLE_SHARE = 0.05
"""Below this share of the cores the CPU says nothing about how many workers fit."""
POOLING_SHARE = 0.85
"""Threads of one worker cannot take over the queue of another."""
GIL_SHARE = 0.7
MOST_THREADS = 16
THREADED, PLAIN = "gthread", "sync"


GROWTH = 1.5
"""Requests that take this many times as long when there are more of them, while the cores idle."""
IDLE_CORES_SHARE = 0.7
PLATEAU_TIMES, PLATEAU_PER_SECOND = 2.0, 10.0
"""100 requests in a window of 10 s: with fewer, twice the busy slots may be chance."""
DOWNSTREAM_SHARE = 0.01
"""Share of time with the law's verdict downstream."""


class Bound(str, Enum):
    """What may allow no more workers, or no more requests per second."""

    CPU = "cpu"
    MEMORY = "memory"
    MAX_WORKERS = "max_workers"
    DOWNSTREAM = "downstream"


@dataclass(frozen=True, slots=True)
class Staffing:
    """The answer, and what led to it."""

    worker_class: str
    threads: int
    workers: int
    needed: int
    """Workers for the peak, before any limit, with `threads` each."""
    needed_p95: int
    """The same for the load of all but the busiest twentieth of the windows."""
    slots: int
    """For the peak."""
    caps: Mapping[Bound, int]
    threads_worth: Reading[int]
    """Threads that waiting requests keep busy in one process before the GIL does: 0.7 x (1 + W/C), 1 to 16."""
    processes_needed: int
    """Workers for the peak without more threads than recorded: above the memory's cap, threads are what is left."""

    @property
    def binding(self) -> Bound | None:
        """The cap below the need; None where all that is needed fits."""
        name = min(self.caps, key=lambda one: self.caps[one], default=None)
        return name if name is not None and self.caps[name] < self.needed else None


def is_event_loop(observed: Observed) -> bool:
    """Whether a worker's slots are connections of an event loop."""
    return observed.crew.threads >= EVENT_LOOP_FROM


def takes_threads(observed: Observed) -> bool:
    """Whether `threads` can be set without changing how the app is run."""
    return observed.worker_class in (PLAIN, THREADED) and not is_event_loop(observed)


def staffing_of(observed: Observed) -> Staffing:
    """Workers for the peak 10 s by Erlang-C, inside the caps; threads only where processes do not fit (2.4)."""
    slots, slots_p95 = (
        _slots(observed, load) for load in (observed.load.busy_slots_peak, observed.load.busy_slots_p95)
    )
    worth = threads_worth(observed)
    recorded = observed.crew.threads
    threads = _threads(observed, slots, known(worth, 1))
    caps = caps_of(observed, threads)
    needed = _workers(observed, slots, threads)
    least = observed.policy.min_workers
    return Staffing(
        worker_class=THREADED if threads > recorded else observed.worker_class,
        threads=threads,
        workers=max(least, min([needed, *caps.values()])),
        needed=needed,
        needed_p95=_workers(observed, slots_p95, threads),
        slots=slots,
        caps=caps,
        threads_worth=worth,
        processes_needed=_workers(observed, slots, recorded),
    )


def caps_of(observed: Observed, threads: int) -> dict[Bound, int]:
    """Largest count that each limit allows; one that is unknown or allows any number is absent."""
    found = {
        Bound.CPU: cpu_cap(observed, threads),
        Bound.MEMORY: memory_cap(observed),
        Bound.MAX_WORKERS: observed.policy.max_workers or None,
        Bound.DOWNSTREAM: downstream_cap(observed, threads),
    }
    return {name: max(0, limit) for name, limit in found.items() if limit is not None}


def cpu_cap(observed: Observed, threads: int) -> int | None:
    """1.25 * K * Y/C + K * sqrt(v) slots, in workers: 2K + 1 for CPU-bound work."""
    slots = cpu_slots(observed)
    if slots is None:
        return None
    return workers_for(slots, threads, known(observed.cpu.cores, 0.0) if threads > 1 else 0.0)


def cpu_slots(observed: Observed) -> int | None:
    """Slots whose CPU work the cores can do; None where cores are unknown or hardly used."""
    cores, each = observed.cpu.cores, observed.cpu.seconds_per_request
    if isinstance(cores, Missing) or isinstance(each, Missing):
        return None
    if known(observed.cpu.used_cores_peak, 0.0) <= CPU_IDLE_SHARE * cores or each <= 0.0:
        return None
    useful_over_cpu = max(1.0, observed.load.service_seconds / each)
    return math.ceil(CPU_MARGIN * cores * useful_over_cpu + cores * math.sqrt(max(1.0, observed.variability)) - 1e-9)


def memory_cap(observed: Observed) -> int | None:
    """(limit - reserve - what is not the workers') / (largest worker + 15 %)."""
    budget, size = budget_bytes(observed.policy, observed.memory), mature_bytes(observed.memory)
    if isinstance(budget, Missing) or isinstance(size, Missing):
        return None
    return math.floor(budget / (MEMORY_MARGIN * size))


def downstream_cap(observed: Observed, threads: int) -> int | None:
    """1.25 * B + 1 slots, in workers, where B busy slots did as much as any (L = lambda W, as the law has it)."""
    if not slows_downstream(observed):
        return None
    return workers_for(math.ceil(1.25 * observed.load.throughput_slots) + 1, threads)


def slows_downstream(observed: Observed) -> bool:
    """The law's verdict, or requests that took far longer under load while the cores had room."""
    growth, cores, used = observed.load.service_growth, observed.cpu.cores, observed.cpu.used_cores_peak
    if observed.bottlenecks.get(Bottleneck.DOWNSTREAM.value, 0.0) >= DOWNSTREAM_SHARE:
        return True
    if isinstance(cores, Missing) or isinstance(used, Missing) or used > IDLE_CORES_SHARE * cores:
        return False
    return known(growth, 1.0) >= GROWTH or _only_waits_longer(observed.load)


def _only_waits_longer(load: Load) -> bool:
    """Twice the busy slots finished no more: with a pool that is full, requests wait in the workers instead."""
    enough = load.throughput_peak >= PLATEAU_PER_SECOND
    return enough and load.throughput_slots > 0.0 and load.busy_slots_peak >= PLATEAU_TIMES * load.throughput_slots


def threads_worth(observed: Observed) -> Reading[int]:
    """clamp(ceil(0.7 * (1 + W/C)), 1, 16): 0.7 for the GIL, W/C for what waits beside what computes (2.4)."""
    each = observed.cpu.seconds_per_request
    if isinstance(each, Missing):
        return each
    if each <= 0.0:
        return MOST_THREADS
    waits = max(0.0, observed.load.service_seconds - each) / each
    return min(MOST_THREADS, max(1, math.ceil(GIL_SHARE * (1.0 + waits) - 1e-9)))


def slots_of(workers: int, threads: int) -> int:
    """Slots that count in `workers`: of several threads in one process, 85 %."""
    return workers if threads <= 1 else math.floor(workers * threads * POOLING_SHARE)


def _threads(observed: Observed, slots: int, worth: int) -> int:
    """As recorded while processes fit into memory; else as many as the peak needs there and waits keep busy."""
    recorded, fit = observed.crew.threads, memory_cap(observed)
    cap = cpu_slots(observed)
    wanted = slots if cap is None else min(slots, cap)
    if not takes_threads(observed) or fit is None or workers_for(wanted, recorded) <= fit:
        return recorded
    return max(recorded, min(worth, math.ceil(wanted / (POOLING_SHARE * max(1, fit)))))


def _slots(observed: Observed, load: float) -> int:
    policy = observed.policy
    return staff(
        load,
        observed.load.service_seconds,
        policy.queue_time_goal_seconds,
        policy.queue_time_miss_share,
        observed.variability,
    )


def _workers(observed: Observed, slots: int, threads: int) -> int:
    cores = known(observed.cpu.used_cores_peak, 0.0)
    return max(observed.policy.min_workers, workers_for(slots, threads, cores))
