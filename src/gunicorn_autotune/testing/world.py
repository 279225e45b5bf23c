"""What is simulated: an application, the machine it runs on, and what changes while it runs."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Application:
    """One request computes for `cpu_seconds`, then waits for `wait_seconds`; both are means, drawn together."""

    cpu_seconds: float = 0.0
    wait_seconds: float = 0.1
    spread: str = "exponential"
    """How much requests differ: `constant`, `exponential` or `heavy` (hyperexponential, squared CV of 4)."""
    slow_share: float = 0.0
    """Share of requests that take `slow_factor` times as long."""
    slow_factor: float = 100.0
    overhead_cpu_seconds: float = 0.0
    """CPU of the server itself for each request: accept, parse, answer; the same for all."""
    boot_cpu_seconds: float = 0.8
    """CPU of one import; boots compete for the cores with requests and with each other."""
    boot_wait_seconds: float = 0.2
    pool: int | None = None
    """Database connections that all workers share: the wait is spent holding one, first come first served."""
    contention: float = 0.0
    coherency: float = 0.0
    """n waits at once slow each other by 1 + contention (n - 1) + coherency n (n - 1): Gunther's universal law."""
    pooled_share: float = 1.0
    """Share of requests that use the database at all."""
    worker_bytes: int = 40 * MIB
    """Private memory of a worker that has just booted."""
    shared_bytes: int = 20 * MIB
    leak_bytes: int = 0
    """Private memory that each request leaves behind."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the server runs on, and what its sensors do not see."""

    cores: float = 2.0
    """min(quota, cores); below one core the quota is shared like a slower core."""
    quota: bool = False
    """`cores` is a CFS quota, whose counters tell when it was used up, by neighbours under it too."""
    neighbours: int = 0
    """Processes of others that always want a core."""
    taken_cores: float = 0.0
    """Cores that others use on average, such as a load generator; no limit the sensors read tells of them."""
    memory_limit_bytes: int = 8192 * MIB
    threads: int = 1
    accepts_ahead: int = 0
    """Connections a worker accepts beyond its threads (gthread: worker_connections - threads)."""
    backlog_limit: int = 2048
    fork_seconds: float = 0.005
    max_requests: int = 0
    max_requests_jitter: int = 0
    """Gunicorn's: the law recycles a worker that has served so many; by itself it leaves at two to three times that."""
    boots_fail_above: int | None = None
    """A worker beyond this many fails at the end of its boot (a database out of connections)."""
    hidden: frozenset[str] = frozenset()
    """Sensors that answer Missing: backlog, busy, cpu, run_delay, queue_time, memory, memory_limit, cores."""


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` seconds on the application or the machine is another; None: stays as it is."""

    at: float
    application: Application | None = None
    machine: Machine | None = None
