"""What the host allows, whatever the load: cores, memory, processes, and the operator's maximum."""

from __future__ import annotations

import math

from gunicorn_autotune.law.cores import cores_of
from gunicorn_autotune.law.crew import EVENT_LOOP_FROM
from gunicorn_autotune.law.spans import Span
from gunicorn_autotune.law.staffing import workers_for
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import CapName
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import HostReading, Missing, Unlimited, known
from gunicorn_autotune.model.snapshot import Snapshot, WorkerReading, WorkerState

_CPU_MARGIN = 1.25
_CPU_IDLE_SHARE = 0.05
"""Below this share of the cores the CPU says nothing about how many workers fit."""
_MEMORY_MARGIN = 1.15
_YOUNG_SECONDS = 60.0
_BOOT_BATCH_SECONDS = 1.0
_SPARE_TASKS = 2
_EVENT_LOOP_TASKS = 16
"""gevent and asyncio keep up to about this many threads for blocking calls."""


def caps(policy: Policy, view: View) -> dict[CapName, int]:
    """Largest count each limit allows; a limit that is absent, unlimited or missing is not in it."""
    snapshot = view.snapshot
    found = {
        CapName.MEMORY: memory_cap(policy, snapshot),
        CapName.CPU: cpu_cap(policy, view),
        CapName.PIDS: pids_cap(snapshot),
        CapName.CONFIG_MAX: policy.max_workers,
    }
    return {name: max(0, limit) for name, limit in found.items() if limit is not None}


def cpu_cap(policy: Policy, view: View) -> int | None:
    """1.25 * K * Y/C + K * sqrt(v): the most slots whose CPU work K cores can do, plus room for uneven requests.

    Asymptotic bound K * (1 + W/C) of a closed system; equals 2K + 1 for CPU-bound work (control.md 0.2, 2.3).
    Under pressure only the present run counts, so yesterday's load caps nothing.
    """
    cores = cores_of(policy, view.snapshot.host)
    if cores is None:
        return None
    variability = view.service.variability if view.service else 1.0
    slots = [_cpu_slots(cores, span, variability) for span in view.run]
    known = [one for one in slots if one is not None]
    if len(known) < len(slots):
        return None
    threads = view.snapshot.threads
    return workers_for(max(known), threads, cores if threads > 1 else 0.0)


def _cpu_slots(cores: float, span: Span, variability: float) -> int | None:
    if span.cpu is None or span.useful is None or span.cpu <= _CPU_IDLE_SHARE * cores:
        return None
    slots = _CPU_MARGIN * cores * max(span.useful, span.cpu) / span.cpu + cores * math.sqrt(max(1.0, variability))
    return math.ceil(min(slots, 1e9))


def memory_budget(policy: Policy, host: HostReading) -> float | None:
    """Bytes still free below the reserve; negative when over it, None where limit or use is unknown."""
    limit = policy.memory_limit_bytes or host.memory_limit_bytes
    used = host.memory_used_bytes
    if isinstance(limit, (Missing, Unlimited)) or isinstance(used, Missing):
        return None
    return (1.0 - policy.memory_reserve_share) * min(limit, 10**18) - min(used, 10**18)


def memory_cap(policy: Policy, snapshot: Snapshot) -> int | None:
    """n + floor((budget - growth still due) / mature); mature is the largest worker plus 15 %.

    Sizes are proportional (PSS) or unique (USS); RSS only where neither was read, and never summed. What young
    workers have yet to grow is kept free (VPA margin, control.md 2.2).
    """
    budget = memory_budget(policy, snapshot.host)
    if budget is None:
        return None
    drains = WorkerState.DRAINING
    workers = [worker for worker in snapshot.workers if worker.state is not drains]
    sizes = [_size_bytes(worker) for worker in workers]
    largest = max(sizes, default=0)
    if not largest:
        sizes = [known(worker.rss_bytes, 0) for worker in workers]
        largest = max(sizes, default=0)
    if largest <= 0:
        return len(workers) if budget < 0.0 else None
    mature = _MEMORY_MARGIN * min(largest, 10**18)
    young, boots = snapshot.at - _YOUNG_SECONDS, WorkerState.BOOTING
    due = 0.0
    for worker, size in zip(workers, sizes, strict=True):
        if worker.spawned_at >= young or worker.state is boots:
            due += _due_bytes(worker, size, mature)
    return len(workers) + math.floor((budget - due) / mature)


def _size_bytes(worker: WorkerReading) -> int:
    """Proportional size, or the unique one where that is larger; 0 when neither was read."""
    memory = worker.memory
    if isinstance(memory, Missing):
        return 0
    return memory.pss_bytes if memory.pss_bytes > memory.uss_bytes else memory.uss_bytes


def _due_bytes(worker: WorkerReading, size: int, mature: float) -> float:
    """What a young worker will still take: everything while it boots, later what it lacks of a mature one."""
    if worker.state is WorkerState.BOOTING:
        return mature
    return max(0.0, mature - (size or known(worker.rss_bytes, 0)))


def pids_cap(snapshot: Snapshot) -> int | None:
    """n + (limit - used) // (threads + 2): a fork that fails for lack of pids would be retried for ever."""
    host = snapshot.host
    if isinstance(host.pids_limit, (Missing, Unlimited)) or isinstance(host.pids_used, Missing):
        return None
    tasks = snapshot.threads if snapshot.threads < EVENT_LOOP_FROM else _EVENT_LOOP_TASKS
    drains = WorkerState.DRAINING
    count = sum(1 for worker in snapshot.workers if worker.state is not drains)
    return count + (host.pids_limit - host.pids_used) // (max(1, tasks) + _SPARE_TASKS)


def boots_allowed(policy: Policy, view: View) -> int:
    """Boots that may start now: as many as the idle cores finish in a second, at least half the cores, less those
    under way. k boots on K cores all finish at k * boot / K, so more of them only finish later (control.md 2.3).
    """  # fmt: skip
    cores = cores_of(policy, view.snapshot.host) or 1.0
    idle = max(cores / 2.0, cores - (view.fast.cpu or 0.0))
    batch = math.ceil(idle * max(1.0, _BOOT_BATCH_SECONDS / view.crew.boot_cpu_seconds))
    asked_for = max(0, view.snapshot.target - view.crew.serving)
    return max(0, batch - view.crew.booting - asked_for)
