"""What the sensors of the simulated host read: one Snapshot, with the sensors it hides Missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gunicorn_autotune.model.readings import UNLIMITED, HostReading, ListenerReading
from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS, Snapshot, Totals
from gunicorn_autotune.testing.processes import HIDDEN

if TYPE_CHECKING:
    from gunicorn_autotune.testing.host import SimulatedHost

_BUCKETS = len(QUEUE_TIME_BOUNDS_SECONDS) + 1


@dataclass(slots=True)
class Counters:
    """What the scoreboard and /proc would count; never goes down, but for `in_service`."""

    started: int = 0
    finished: int = 0
    lost: int = 0
    in_service: int = 0
    busy_seconds: float = 0.0
    service_seconds: float = 0.0
    service_seconds_squared: float = 0.0
    cpu_seconds: float = 0.0
    run_delay_seconds: float = 0.0
    boot_cpu_seconds: float = 0.0
    full_seconds: float = 0.0
    """All cores were taken and somebody waited for one."""
    boots: int = 0
    oom_kills: int = 0
    queue_times: list[int] = field(default_factory=lambda: [0] * _BUCKETS)


def snapshot_of(host: SimulatedHost) -> Snapshot:
    """All readings now."""
    hidden, machine = host.machine.hidden, host.machine
    sharers = max(1, len(host.workers))
    blind = "memory" in hidden
    shared = host.application.shared_bytes
    backlog = HIDDEN if "backlog" in hidden else len(host.queue)
    return Snapshot(
        at=host.at,
        workers=tuple([worker.reading(blind, sharers, shared) for worker in host.workers]),
        listeners=(ListenerReading("127.0.0.1:8000", backlog, machine.backlog_limit),),
        host=_host_of(host),
        totals=_totals_of(host),
        target=host.target,
        threads=machine.threads,
        boot_backoff_until=host.backoff_until,
    )


def _totals_of(host: SimulatedHost) -> Totals:
    hidden, counters = host.machine.hidden, host.counters
    return Totals(
        busy_seconds=HIDDEN if "busy" in hidden else counters.busy_seconds,
        requests_started=counters.started,
        requests_finished=counters.finished,
        service_seconds=counters.service_seconds,
        service_seconds_squared=counters.service_seconds_squared,
        cpu_seconds=HIDDEN if "cpu" in hidden else counters.cpu_seconds,
        run_delay_seconds=HIDDEN if "run_delay" in hidden else counters.run_delay_seconds,
        boot_cpu_seconds=counters.boot_cpu_seconds,
        boots=counters.boots,
        killed=counters.oom_kills,
        queue_time_counts=(0,) * _BUCKETS if "queue_time" in hidden else tuple(counters.queue_times),
    )


def _host_of(host: SimulatedHost) -> HostReading:
    hidden, machine = host.machine.hidden, host.machine
    return HostReading(
        cpu_limit_cores=HIDDEN if "cores" in hidden else machine.cores,
        cpu_quota_cores=HIDDEN if "cores" in hidden else machine.cores,
        memory_limit_bytes=HIDDEN if "memory_limit" in hidden else machine.memory_limit_bytes,
        memory_used_bytes=HIDDEN if "memory_limit" in hidden else host.memory_bytes(),
        pids_limit=UNLIMITED,
        pids_used=len(host.workers) + 1,
        cpu_throttled_seconds=0.0,
        oom_kills=host.counters.oom_kills,
        cpu_pressure=HIDDEN,
        memory_pressure=HIDDEN,
        io_pressure=HIDDEN,
        files_limit=UNLIMITED,
        files_used=len(host.workers) + 1,
        cpu_full_seconds=(host.counters.full_seconds,) if machine.quota else HIDDEN,
        read_at=host.at,
    )
