"""The workers counted once: who is ready, who boots, what waits inside them."""

from __future__ import annotations

from dataclasses import dataclass

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import Snapshot, WorkerState

EVENT_LOOP_FROM = 256
"""Snapshot.threads from which a worker is taken for an event loop: a limit of connections, not threads."""
_UNMEASURED_BOOT_SECONDS = 1.0
_SHORTEST_BOOT_SECONDS = 0.01
"""One tick of the kernel's CPU accounting; a fork of a preloaded application often reads as 0."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Counts over the workers of one snapshot; the draining are not in it."""

    serving: int
    ready: int
    booting: int
    used: int
    """Ready workers that have served a request or serve one: the others are still hidden from the traffic."""
    slots: int
    """Requests the ready workers can handle at once."""
    waiting: float | None
    """Backlogs of all listeners that can be read, and what waits inside workers; None when nothing can be read."""
    full: bool
    """Every ready worker has a request in each slot now."""
    holding: int
    """Ready workers that hold long-lived connections."""
    boot_seconds: float
    """Mean from fork to ready of the workers that are up; 1 s when none is."""
    boot_cpu_seconds: float
    """Mean CPU a boot costs; 1 s when none was measured."""


def crew_of(snapshot: Snapshot) -> Crew:
    """One pass over the workers."""
    ready = booting = queued = timed = used = holding = 0
    boot_seconds, full, threads = 0.0, True, snapshot.threads
    drains, boots = WorkerState.DRAINING, WorkerState.BOOTING  # an Enum's attribute costs more than a local
    for worker in snapshot.workers:
        state = worker.state
        if state is drains:
            continue
        if state is boots:
            booting += 1
            continue
        ready += 1
        queued += worker.queued
        if worker.in_flight or worker.served:
            used += 1
        if worker.in_flight + worker.silent < threads:
            full = False
        if worker.held:
            holding += 1
        if worker.ready_at is not None:
            timed += 1
            boot_seconds += worker.ready_at - worker.spawned_at
    wall = max(0.0, boot_seconds / timed) if timed else _UNMEASURED_BOOT_SECONDS
    return Crew(
        serving=ready + booting,
        ready=ready,
        booting=booting,
        used=used,
        slots=ready * max(1, threads),
        waiting=_waiting(snapshot, queued),
        full=full and ready > 0,
        holding=holding,
        boot_seconds=wall,
        boot_cpu_seconds=_boot_cpu_seconds(snapshot, wall),
    )


def _waiting(snapshot: Snapshot, queued: int) -> float | None:
    seen = [one.backlog for one in snapshot.listeners if not isinstance(one.backlog, Missing)]
    if not seen and not queued:
        return None
    return float(min(sum(max(0, backlog) for backlog in seen) + queued, 10**9))


def _boot_cpu_seconds(snapshot: Snapshot, wall_seconds: float) -> float:
    """Measured CPU per boot; where it reads 0, the wall time, which bounds it for one thread."""
    totals = snapshot.totals
    if totals.boots <= 0:
        return _UNMEASURED_BOOT_SECONDS
    cpu = totals.boot_cpu_seconds / totals.boots
    if not cpu > 0.0:
        cpu = min(wall_seconds, _UNMEASURED_BOOT_SECONDS)
    return max(cpu, _SHORTEST_BOOT_SECONDS)
