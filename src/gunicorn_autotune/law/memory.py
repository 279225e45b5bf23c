"""Memory: how many workers fit, what they will still take, and who should be recycled before it runs out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gunicorn_autotune.law.sizes import PEAKS, YOUNG_SECONDS, mature_bytes, own_bytes
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy, least_limit_in_force, memory_in_force
from gunicorn_autotune.model.readings import HostReading, Missing, Unlimited, known
from gunicorn_autotune.model.snapshot import READY_STATES, Snapshot, WorkerReading, WorkerState

_MARGIN = 1.15
"""A worker is taken to grow this much above the largest seen (VPA's margin)."""
_OOM_GROWTH = 1.2
"""After an OOM kill workers are taken to grow this much above the largest seen (VPA's bump)."""
_FAT_SHARE = 0.25
"""Recycling gives back less than this share of a fresh worker: not worth a boot."""
_RECYCLE_SECONDS = 2.0
"""A recycle takes a boot and about this long."""
_AFTER_OOM_SECONDS = 600.0
_SHORT_SECONDS = 5.0
"""A death by a signal this soon after memory was short is taken for the kernel's: it has made room by then."""
_RECOVERY_SECONDS, _RECOVERED_SHARE = 30.0, 0.2
_WARM_SECONDS = 30.0
"""Caches and lazy imports fill within this time: not taken for a leak that goes on at that rate."""
_AHEAD_RECYCLES = 4.0
_PRESSED_SHARE = 0.05
"""A twentieth of the time is more than one worker more would bring to twenty."""
_SURGE_SHARE = 0.5
"""Share of the reserve that a replacement may use until the worker it replaces has left."""


def memory_budget(policy: Policy, host: HostReading) -> float | None:
    """Bytes still free below the reserve; negative when over it, None where limit or use is unknown."""
    limit, used = memory_in_force(policy, host)
    least = least_limit_in_force(policy, host)
    if isinstance(limit, (Missing, Unlimited)) or isinstance(used, Missing) or least is None:
        return None
    return min(limit, 10**18) - policy.memory_reserve_share * min(least, 10**18) - min(used, 10**18)


def pressed(host: HostReading) -> bool:
    """Whether everything stood still for want of memory in 5 % of the last 10 s (PSI, `full`).

    No worker is added for the load then, and no routine recycle begins. None is taken away for it either: the figure
    does not tell whose memory it is (without a cgroup's own file it is the machine's), and a worker that leaves must
    be read back from the disk first.
    """
    pressure = host.memory_pressure
    return not isinstance(pressure, Missing) and known(pressure.full_avg10_share, 0.0) >= _PRESSED_SHARE


def memory_cap(policy: Policy, snapshot: Snapshot, peaks: Sequence[tuple[float, int]] = ()) -> int | None:
    """How many workers fit, and no more than there are while memory is under pressure."""
    fits = _fitting(policy, snapshot, peaks)
    if not pressed(snapshot.host):
        return fits
    count = len(_staying(snapshot))
    return count if fits is None else min(fits, count)


def _staying(snapshot: Snapshot) -> list[WorkerReading]:
    return [worker for worker in snapshot.workers if worker.state is not WorkerState.DRAINING]


def _fitting(policy: Policy, snapshot: Snapshot, peaks: Sequence[tuple[float, int]]) -> int | None:
    """n + floor((budget - growth still due) / mature); mature is what a worker grows to, plus 15 %.

    Sizes are unique (USS), what one worker more would take: pages that a preloaded app shares are in use already. RSS
    only where USS was not read, and never summed. What young workers have yet to grow is kept free (VPA margin).
    `peaks` are those of workers that have left: after a reload all are small, and will not stay so.
    """
    budget = memory_budget(policy, snapshot.host)
    if budget is None:
        return None
    workers = _staying(snapshot)
    sizes = [own_bytes(worker) for worker in workers]
    if not any(sizes):
        sizes = [known(worker.rss_bytes, 0) for worker in workers]
    grows_to = mature_bytes(sizes, peaks, snapshot.at)
    if grows_to <= 0:
        return len(workers) if budget < 0.0 else None
    mature = _MARGIN * min(grows_to, 10**18)
    young, boots = snapshot.at - YOUNG_SECONDS, WorkerState.BOOTING
    due = 0.0
    for worker, size in zip(workers, sizes, strict=True):
        if worker.spawned_at >= young or worker.state is boots:
            due += _due_bytes(worker, size, mature)
    return len(workers) + math.floor((budget - due) / mature)


def drains_bytes(snapshot: Snapshot) -> int:
    """What the workers that are leaving will give back."""
    return sum([own_bytes(worker) for worker in snapshot.workers if worker.state is WorkerState.DRAINING])


def leaving_at_once(policy: Policy, snapshot: Snapshot) -> int:
    """How many workers leave together over the limit itself, as when MemoryHigh is lowered and everybody is throttled.

    As many as it takes to get below the limit. Only one leaves if memory in use reaches no further than the reserve, if
    sizes are unknown, or if most of the memory in use is not the workers': then their leaving would not cure it.
    """
    over = memory_budget(replace(policy, memory_reserve_share=0.0), snapshot.host)
    _, used = memory_in_force(policy, snapshot.host)
    sizes = [own_bytes(worker) for worker in _staying(snapshot)]
    back, each = drains_bytes(snapshot), mature_bytes(sizes, (), snapshot.at)
    if over is None or over + back >= 0.0 or not each or 2 * (sum(sizes) + back) < known(used, 0):
        return 1
    return math.ceil(-(over + back) / each)


def _due_bytes(worker: WorkerReading, size: int, mature: float) -> float:
    """What a young worker will still take: everything while it boots, later what it lacks of a mature one."""
    if worker.state is WorkerState.BOOTING:
        return mature
    return max(0.0, mature - (size or known(worker.rss_bytes, 0)))


def after_oom(history: History, at: float, limit: int | None) -> int | None:
    """The memory cap, and for ten minutes after an OOM kill not more than fitted then."""
    if history.oom is None or at >= history.oom[0]:
        return limit
    return history.oom[1] if limit is None else min(limit, history.oom[1])


def oom_seen(policy: Policy, history: History, snapshot: Snapshot) -> History:
    """`history` with the cap lowered to what fits now and the mature size raised, if the kernel killed for memory.

    Lifted when a fifth is free again.
    """
    budget = memory_budget(policy, snapshot.host)
    if budget is not None and budget < 0.0:
        history = replace(history, short_at=snapshot.at)
    if not _killed(history, snapshot):
        return _after_recovery(policy, history, snapshot)
    alive = [worker for worker in snapshot.workers if worker.state in READY_STATES]
    largest = max([own_bytes(worker) for worker in alive], default=0)
    # One entry for each that is alive, or it would be lost among those above the 90th percentile.
    bump = ((snapshot.at, int(_OOM_GROWTH * largest)),) * len(alive) if largest else ()
    peaks = (*history.peaks, *bump)[-PEAKS:]
    fits = memory_cap(policy, snapshot, peaks)
    workers = max(1, len(alive) - 1 if fits is None else min(fits, len(alive)))
    return replace(history, oom=(snapshot.at + _AFTER_OOM_SECONDS, workers), peaks=peaks)


def _killed(history: History, snapshot: Snapshot) -> bool:
    """The kernel counted an OOM kill; where it cannot be asked: a worker died by a signal when memory was short."""
    if len(history.marks) < 2:
        return False
    before, now = history.marks[-2], history.marks[-1]
    if now.oom_kills is not None:
        counted = next((mark.oom_kills for mark in reversed(history.marks[:-1]) if mark.oom_kills is not None), None)
        return counted is not None and now.oom_kills > counted
    return (
        now.killed > before.killed and history.short_at is not None and snapshot.at - history.short_at < _SHORT_SECONDS
    )


def _after_recovery(policy: Policy, history: History, snapshot: Snapshot) -> History:
    """Recycling may have made room long before the ten minutes are over."""
    if history.oom is None or snapshot.at < history.oom[0] - _AFTER_OOM_SECONDS + _RECOVERY_SECONDS:
        return history
    budget, limit = memory_budget(policy, snapshot.host), least_limit_in_force(policy, snapshot.host)
    free = budget is not None and limit is not None and budget >= _RECOVERED_SHARE * limit
    return replace(history, oom=None) if free else history


def runs_out(policy: Policy, snapshot: Snapshot, fresh: int, boot_seconds: float) -> WorkerReading | None:
    """The fattest worker, if memory would run out within the time of the next few recycles.

    What draining workers take counts as free: they are leaving already.
    budget < 4 * growth * (boot + 2 s); growth is the sum over workers of size above a fresh one's, by age,
    30 s at least. One recycle gives back more than all grow meanwhile, or recycling would not help at all.
    """
    budget, seconds = memory_budget(policy, snapshot.host), _AHEAD_RECYCLES * (boot_seconds + _RECYCLE_SECONDS)
    if (
        budget is None
        or not fresh
        or budget >= 2.0 * known(snapshot.host.memory_used_bytes, 0) / _WARM_SECONDS * seconds
    ):
        return None  # not even if all that is in use had grown just now: the usual case, and a cheap one
    booting, draining = WorkerState.BOOTING, WorkerState.DRAINING
    budget += sum([own_bytes(worker) for worker in snapshot.workers if worker.state is draining])
    ready = [worker for worker in snapshot.workers if worker.state is not booting and worker.state is not draining]
    sizes = [own_bytes(worker) for worker in ready]
    largest = max(sizes, default=0)
    if largest - fresh < _FAT_SHARE * fresh or budget >= len(ready) * (largest - fresh) / _WARM_SECONDS * seconds:
        return None
    growth = sum(
        max(0, size - fresh) / max(_WARM_SECONDS, snapshot.at - (worker.ready_at or snapshot.at))
        for worker, size in zip(ready, sizes, strict=True)
    )
    return ready[sizes.index(largest)] if budget < growth * seconds else None


def room_bytes(policy: Policy, host: HostReading) -> float | None:
    """What replacements may take until those they replace have left: the budget and half the reserve."""
    budget, limit = memory_budget(policy, host), least_limit_in_force(policy, host)
    if budget is None or limit is None:
        return None
    return budget + _SURGE_SHARE * policy.memory_reserve_share * limit


def replacements_that_fit(policy: Policy, history: History, snapshot: Snapshot) -> int | None:
    """How many workers that have just booted fit beside those there are; None where that cannot be told."""
    room = room_bytes(policy, snapshot.host)
    if room is None or not history.fresh_bytes:
        return None
    return max(0, math.floor(room / (_MARGIN * history.fresh_bytes)))
