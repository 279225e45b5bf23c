"""One instant: everything the law may know. Counters are cumulative and never go down."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gunicorn_autotune.model.readings import HostReading, ListenerReading, MemoryReading, Missing, Reading

QUEUE_TIME_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the queue-time buckets; one more bucket counts the rest."""

DURATION_BOUNDS_SECONDS = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
)  # fmt: skip
"""OpenTelemetry's advised bounds for http.server.request.duration plus 30 and 60 (Gunicorn's timeout is 30)."""


class WorkerState(str, Enum):
    """What a worker process is doing, as `gunicorn_workers{state}` shows it."""

    BOOTING = "booting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    UNKNOWN = "unknown"
    """Ready; whether it is busy cannot be seen, as its class does not report its requests or it has no row."""


READY_STATES = (WorkerState.IDLE, WorkerState.BUSY, WorkerState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """One worker process of the arbiter."""

    slot: int | None
    """Row in the scoreboard; None when the board is full and the worker goes unmeasured."""
    pid: int
    age: int
    """Gunicorn's ordinal: higher is younger."""
    state: WorkerState
    spawned_at: float
    """Monotonic seconds."""
    ready_at: float | None
    """Monotonic seconds when it could first take a request; None while booting."""
    in_flight: int = 0
    queued: int = 0
    """Connections accepted but waiting for a thread inside the worker (gthread)."""
    oldest_request_seconds: float = 0.0
    """Age of the longest running request."""
    requests: int = 0
    """Requests finished in the slot, all its processes together."""
    served: int = 0
    """Requests finished by this process: tells whether a new worker gets any traffic yet."""
    busy_seconds: float = 0.0
    """Time integral of in-flight for the slot, running requests included."""
    cpu_seconds: Reading[float] = Missing("not read")
    run_delay_seconds: Reading[float] = Missing("not read")
    rss_bytes: Reading[int] = Missing("not read")
    memory: Reading[MemoryReading] = Missing("not read yet")
    requests_limit: int | None = None
    """Gunicorn's max_requests for this worker, its jitter drawn; None: there is none, or Gunicorn itself keeps it."""
    draw: float = 0.0
    """Drawn at its birth, 0 to 1: spreads the limits of workers that were born together."""
    asked: bool = False
    """An operator asked to recycle it."""
    outdated: bool = False
    """It runs the code from before a reload."""
    held: int = 0
    """Long-lived connections: WebSockets, and requests that have run for 5 s. They outlast a drain."""
    held_seconds: float = 0.0
    """How long there has been one without a pause."""
    silent: int = 0
    """Connections that take a slot though no request runs on them: the request has not come yet (sync)."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all slots since start; differences of two snapshots are exact whatever was recycled between."""

    busy_seconds: Reading[float]
    """Missing when the worker class does not report its requests."""
    requests_started: int
    requests_finished: int
    service_seconds: float
    """Sum of durations of finished requests."""
    service_seconds_squared: float
    cpu_seconds: Reading[float]
    """CPU of ready workers only: a boot's import is not load."""
    run_delay_seconds: Reading[float]
    """Runnable but waiting, ready workers only."""
    boot_cpu_seconds: float
    """CPU spent by workers while booting."""
    boots: int
    """Workers that became ready."""
    queue_time_counts: tuple[int, ...]
    """Per bucket of QUEUE_TIME_BOUNDS_SECONDS plus the rest; all zero when no queue time is seen."""
    killed: int = 0
    """Workers that a signal ended which neither Gunicorn nor we sent."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All readings of one instant."""

    at: float
    """Monotonic seconds. The law has no other clock."""
    workers: tuple[WorkerReading, ...]
    listeners: tuple[ListenerReading, ...]
    host: HostReading
    totals: Totals
    target: int
    """Worker count asked of the arbiter now (gunicorn's num_workers)."""
    threads: int
    """Requests one worker can handle at once: 1 sync, cfg.threads gthread, worker_connections gevent/asgi."""
    frozen: str | None = None
    """Why the arbiter must not be touched: `reload`, `upgrade`, `shutdown`; None when it may."""
    held_until: float | None = None
    """Monotonic end of a hold after an operator's TTIN/TTOU."""
    boot_backoff_until: float | None = None
    """Monotonic end of the back-off after a failed boot."""


def serving(snapshot: Snapshot) -> tuple[WorkerReading, ...]:
    """Workers that are or will be capacity: everything but the draining."""
    return tuple(worker for worker in snapshot.workers if worker.state is not WorkerState.DRAINING)
