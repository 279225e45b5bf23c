"""What a record shows: the figures that `plan` argues with, whether from a flight record or from a running server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Limit, Missing, Reading, known


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked of the server. A slot is one request a worker can handle at once."""

    requests: int
    """Finished within the record."""
    arrivals_per_second: float
    arrivals_per_second_p95: float
    """Of windows of 10 s, as for the peak."""
    arrivals_per_second_peak: float
    service_seconds: float
    """Mean, without the time spent waiting for a core."""
    service_growth: Reading[float]
    """Service time in the windows with the most arrivals over that in those with the fewest."""
    variability: Reading[float]
    """(1 + squared coefficient of variation of service times) / 2, within 0.5 and 10."""
    busy_slots: float
    """Offered load (Erlangs), without waits for a core."""
    busy_slots_p95: float
    busy_slots_peak: float
    throughput_peak: float
    """Most requests finished per second."""
    throughput_slots: float
    """Busy slots in the least busy window that finished at least 95 % of that."""
    full_share: float
    """Share of time in which at least 90 % of the slots were taken."""
    longest_request_seconds: float


@dataclass(frozen=True, slots=True)
class Queue:
    """What waited for a worker."""

    p95_seconds: Reading[float]
    backlog_most: Reading[int]
    backlog_limit: Reading[int]


@dataclass(frozen=True, slots=True)
class Cpu:
    """What the ready workers took of the cores."""

    cores: Reading[float]
    seconds_per_request: Reading[float]
    used_cores: Reading[float]
    used_cores_peak: Reading[float]
    full_share: float
    """Share of time in which at least 90 % of the cores were in use."""
    delay_share: Reading[float]
    """Share of busy time spent runnable but waiting for a core."""
    throttled_share: Reading[float]
    """Throttled time over time; the quota's doing."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the workers took of the memory."""

    limit_bytes: Limit[int]
    other_bytes: Reading[int]
    """In use at the limit's level and not in the workers, median."""
    worker_bytes: Reading[int]
    """The largest worker seen."""
    measure: str
    """`PSS`, or `RSS` where nothing better was read."""
    shared_bytes: Reading[int]
    """Resident bytes of that worker which others share."""
    fresh_bytes: Reading[int]
    """A worker after its warm-up, before any leak."""
    leak_bytes_per_request: Reading[float]
    """0 where a worker was watched for long enough and did not grow steadily."""
    requests_per_worker: int
    """The most that one process served within the record."""
    oom_kills: Reading[int]
    least_limit_bytes: Limit[int] = Missing("not read")
    """What the reserve is a share of, where it is smaller than limit_bytes."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers."""

    most: int
    threads: int
    boot_seconds: Reading[float]
    boot_cpu_seconds: Reading[float]


@dataclass(frozen=True, slots=True)
class Observed:
    """The whole record in figures."""

    seconds: float
    server: Mapping[str, Any]
    """Gunicorn's settings as recorded; what is not in it is not known."""
    policy: Policy
    load: Load
    queue: Queue
    cpu: Cpu
    memory: Memory
    crew: Crew
    reasons: Mapping[str, float]
    """Share of time under each reason of a decision."""
    bottlenecks: Mapping[str, float]
    fault: str = ""
    """What ended the record early; empty when nothing did."""

    @property
    def worker_class(self) -> str:
        """As Gunicorn names it."""
        return str(self.server.get("worker_class", "sync"))

    @property
    def variability(self) -> float:
        """As measured, or 1: exponential service times."""
        return known(self.load.variability, 1.0)

    def recorded(self, name: str, default: Any) -> Any:
        """One of Gunicorn's settings; its default where the record does not tell."""
        value = self.server.get(name)
        return default if value is None else value
