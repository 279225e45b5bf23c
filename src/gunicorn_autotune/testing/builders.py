"""Builders for tests of the law and of code that uses it: a value with every field set, name only what matters.

    from gunicorn_autotune.testing import a_policy, a_snapshot

    decision, history = decide(a_policy(max_workers=8), start(a_snapshot(at=0.0)), a_snapshot(at=1.0, backlog=40))

Nothing here reads the host or the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gunicorn_autotune.model.policy import Policy, policy_from, with_automatic_max
from gunicorn_autotune.model.readings import (
    UNLIMITED,
    HostReading,
    Limit,
    ListenerReading,
    MemoryReading,
    Missing,
    PressureReading,
    Reading,
)
from gunicorn_autotune.model.snapshot import (
    QUEUE_TIME_BOUNDS_SECONDS,
    Snapshot,
    Totals,
    WorkerReading,
    WorkerState,
)

NOT_READ = Missing("not read in this test")
MIB = 1 << 20


def a_policy(**settings: Any) -> Policy:
    """A checked policy; max_workers is that of a host with 4 cores and 8 GiB unless given."""
    return with_automatic_max(policy_from(settings, {}), cores=4.0, memory_bytes=8192 * MIB)


def a_worker(
    slot: int = 0,
    *,
    state: WorkerState | None = None,
    spawned_at: float = -1000.0,
    boot_seconds: float = 0.03,
    in_flight: int = 0,
    queued: int = 0,
    oldest_request_seconds: float = 0.0,
    requests: int = 0,
    served: int = 0,
    busy_seconds: float = 0.0,
    cpu_seconds: Reading[float] = NOT_READ,
    run_delay_seconds: Reading[float] = NOT_READ,
    rss_bytes: Reading[int] = 40 * MIB,
    uss_bytes: int = 24 * MIB,
    pss_bytes: int = 26 * MIB,
    memory: Reading[MemoryReading] | None = None,
    held: int = 0,
    held_seconds: float = 0.0,
    silent: int = 0,
) -> WorkerReading:
    """A worker up for long; busy when something takes or holds it, idle otherwise, unless `state` says more."""
    if state is None:
        state = WorkerState.BUSY if in_flight or held or silent else WorkerState.IDLE
    return WorkerReading(
        slot=slot,
        pid=1000 + slot,
        age=slot + 1,
        state=state,
        spawned_at=spawned_at,
        ready_at=None if state is WorkerState.BOOTING else spawned_at + boot_seconds,
        in_flight=in_flight,
        queued=queued,
        oldest_request_seconds=oldest_request_seconds,
        requests=requests,
        served=served,
        busy_seconds=busy_seconds,
        cpu_seconds=cpu_seconds,
        run_delay_seconds=run_delay_seconds,
        rss_bytes=rss_bytes,
        memory=MemoryReading(pss_bytes=pss_bytes, uss_bytes=uss_bytes) if memory is None else memory,
        held=held,
        held_seconds=held_seconds,
        silent=silent,
    )


def some_workers(
    count: int, *, booting: int = 0, in_flight: int = 0, threads: int = 1, queued: int = 0
) -> tuple[WorkerReading, ...]:
    """`count` ready workers and `booting` more; `in_flight` requests dealt to the first until each is full."""
    ready = []
    for slot in range(count):
        taken = min(threads, max(0, in_flight - slot * threads))
        ready.append(a_worker(slot, in_flight=taken, queued=queued if slot == 0 else 0))
    up = tuple(ready)
    return up + tuple(a_worker(count + slot, state=WorkerState.BOOTING) for slot in range(booting))


def a_host(
    cores: Reading[float] = 2.0,
    *,
    cpu_quota_cores: Limit[float] = UNLIMITED,
    memory_limit_bytes: Limit[int] = 8192 * MIB,
    memory_used_bytes: Reading[int] = 512 * MIB,
    pids_limit: Limit[int] = UNLIMITED,
    pids_used: Reading[int] = 100,
    files_limit: Limit[int] = UNLIMITED,
    files_used: Reading[int] = 20,
    cpu_throttled_seconds: Reading[float] = 0.0,
    oom_kills: Reading[int] = 0,
    cpu_pressure: Reading[PressureReading] = NOT_READ,
    memory_pressure: Reading[PressureReading] = NOT_READ,
    io_pressure: Reading[PressureReading] = NOT_READ,
    memory_least_limit_bytes: Limit[int] = NOT_READ,
    memory_own_bytes: Reading[int] = NOT_READ,
    cpu_full_seconds: Reading[tuple[float, ...]] = NOT_READ,
) -> HostReading:
    """A host with 2 cores and 8 GiB, 512 MiB of them in use."""
    return HostReading(
        cpu_limit_cores=cores,
        cpu_quota_cores=cpu_quota_cores,
        memory_limit_bytes=memory_limit_bytes,
        memory_used_bytes=memory_used_bytes,
        pids_limit=pids_limit,
        pids_used=pids_used,
        cpu_throttled_seconds=cpu_throttled_seconds,
        oom_kills=oom_kills,
        cpu_pressure=cpu_pressure,
        memory_pressure=memory_pressure,
        io_pressure=io_pressure,
        files_limit=files_limit,
        files_used=files_used,
        memory_least_limit_bytes=memory_least_limit_bytes,
        memory_own_bytes=memory_own_bytes,
        cpu_full_seconds=cpu_full_seconds,
    )


def a_snapshot(
    at: float = 0.0,
    *,
    workers: int | Sequence[WorkerReading] = 2,
    ready: int | None = None,
    in_flight: int = 0,
    queued: int = 0,
    backlog: Reading[int] = 0,
    backlog_limit: Reading[int] = 2048,
    busy_seconds: Reading[float] = 0.0,
    started: int = 0,
    finished: int = 0,
    service_seconds: float = 0.0,
    service_seconds_squared: float = 0.0,
    cpu_seconds: Reading[float] = 0.0,
    run_delay_seconds: Reading[float] = 0.0,
    boot_cpu_seconds: float = 0.0,
    boots: int = 0,
    queue_time_counts: tuple[int, ...] = (0,) * (len(QUEUE_TIME_BOUNDS_SECONDS) + 1),
    host: HostReading | None = None,
    target: int | None = None,
    threads: int = 1,
    frozen: str | None = None,
    held_until: float | None = None,
    boot_backoff_until: float | None = None,
) -> Snapshot:
    """Two idle sync workers on one listener at time `at`, counters at 0.

    `workers` is how many, or the workers themselves; `ready` of them are up, the rest boot. Counters (`started`,
    `busy_seconds`...) are cumulative: give the next snapshot larger ones. `target` is the number of workers by default.
    """
    if isinstance(workers, int):
        up = workers if ready is None else ready
        workers = some_workers(up, booting=workers - up, in_flight=in_flight, threads=threads, queued=queued)
    return Snapshot(
        at=at,
        workers=tuple(workers),
        listeners=(ListenerReading("127.0.0.1:8000", backlog=backlog, backlog_limit=backlog_limit),),
        host=host or a_host(),
        totals=Totals(
            busy_seconds=busy_seconds,
            requests_started=started,
            requests_finished=finished,
            service_seconds=service_seconds,
            service_seconds_squared=service_seconds_squared,
            cpu_seconds=cpu_seconds,
            run_delay_seconds=run_delay_seconds,
            boot_cpu_seconds=boot_cpu_seconds,
            boots=boots,
            queue_time_counts=queue_time_counts,
        ),
        target=len(workers) if target is None else target,
        threads=threads,
        frozen=frozen,
        held_until=held_until,
        boot_backoff_until=boot_backoff_until,
    )
