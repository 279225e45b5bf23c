"""What a sensor may answer: a value, `Missing(why)` or `Unlimited`. Three different things, never 0 or -1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, Union

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Missing:
    """The sensor has no answer here and now; `why` is for the operator. The law never acts on one."""

    why: str


@dataclass(frozen=True, slots=True)
class Unlimited:
    """The host sets no limit; not the same as a very large number, and not the same as unknown."""


UNLIMITED = Unlimited()

Reading = Union[T, Missing]
Limit = Union[T, Missing, Unlimited]


def known(reading: Reading[T] | Limit[T], default: T) -> T:
    """The value read, or `default` where it is missing or unlimited."""
    return default if isinstance(reading, (Missing, Unlimited)) else reading


@dataclass(frozen=True, slots=True)
class ListenerReading:
    """One listening socket: connections the kernel completed and no worker has accepted yet."""

    address: str
    """As Gunicorn prints it: `127.0.0.1:8000`, `[::1]:8000`, `unix:/run/gunicorn.sock`."""
    backlog: Reading[int]
    """Connections waiting in the kernel's accept queue (all sockets of the port under reuse_port)."""
    backlog_limit: Reading[int]
    """Size of that queue: min(Gunicorn's backlog, net.core.somaxconn)."""


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """One process as /proc shows it; CPU figures cover all its threads."""

    cpu_seconds: Reading[float]
    run_delay_seconds: Reading[float]
    """Seconds spent runnable but waiting for a core (schedstat field 2)."""
    rss_bytes: Reading[int]
    threads: int


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """One process from smaps_rollup: costs about 145 us to read, so one worker a tick."""

    pss_bytes: int
    """Proportional: each shared page divided by its sharers. Sums over workers without double counting."""
    uss_bytes: int
    """Unique: private pages only, what a recycle would give back."""


@dataclass(frozen=True, slots=True)
class PressureReading:
    """PSI of one resource, cumulative (`total=` fields of cpu/memory/io.pressure) and the 10 s share."""

    some_seconds: float
    full_seconds: Reading[float]
    some_avg10_share: float
    full_avg10_share: Reading[float]


@dataclass(frozen=True, slots=True)
class HostReading:
    """What the host grants this server and what it uses, at one instant."""

    cpu_limit_cores: Reading[float]
    """min(quota over all ancestors, cpuset, affinity, online): always finite when it can be read."""
    cpu_quota_cores: Limit[float]
    """The tightest CFS quota alone."""
    memory_limit_bytes: Limit[int]
    """The one with the least room below it, of all cgroup ancestors and MemTotal."""
    memory_used_bytes: Reading[int]
    """Working set (use minus inactive_file) at the level of that limit, siblings included."""
    pids_limit: Limit[int]
    pids_used: Reading[int]
    cpu_throttled_seconds: Reading[float]
    """Cumulative time the cgroup was throttled by its quota."""
    oom_kills: Reading[int]
    """Cumulative oom_kill events of the cgroup."""
    cpu_pressure: Reading[PressureReading]
    memory_pressure: Reading[PressureReading]
    io_pressure: Reading[PressureReading]
    files_limit: Limit[int] = Missing("not read")
    """Descriptors the arbiter may hold (the soft RLIMIT_NOFILE)."""
    files_used: Reading[int] = Missing("not read")
    """Descriptors it holds now."""
    memory_limit_origin: Reading[str] = Missing("not read")
    """Where memory_limit_bytes stands: `/system.slice/app.service/memory.max` below the cgroup mount, or `machine`."""
    memory_least_limit_bytes: Limit[int] = Missing("not read")
    """The smallest of all those limits, full or not: which one has the least room changes with what neighbours use."""
    memory_own_bytes: Reading[int] = Missing("not read")
    """Working set of our own cgroup."""
    cpu_full_seconds: Reading[tuple[float, ...]] = Missing("not read")
    """Cumulative time of the quota's periods in which all of it was used and more was wanted, by level, own first."""
    read_at: Reading[float] = Missing("not read")
    """Monotonic seconds of this reading, which may be a second older than the snapshot it stands in."""
