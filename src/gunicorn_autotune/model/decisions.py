"""What the law may answer, and why: one closed enum shared by log lines, metrics, /status.json and docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from gunicorn_autotune.model.readings import Missing, Reading


class Action(str, Enum):
    """What is done to the worker count."""

    GROW = "grow"
    SHRINK = "shrink"
    HOLD = "hold"
    ROLLBACK = "rollback"


class Reason(str, Enum):
    """Why. Every member is explained in docs/how-it-decides.md; a test holds that."""

    BACKLOG = "backlog"
    ALL_BUSY = "all_busy"
    DEMAND = "demand"
    BELOW_MIN = "below_min"
    QUEUE_TIME = "queue_time"
    PROBE = "probe"
    RECYCLE = "recycle"
    DRAIN_FIRST = "drain_first"
    LOAD_FELL = "load_fell"
    MEMORY = "memory"
    OOM_KILL = "oom_kill"
    CPU = "cpu"
    ABOVE_MAX = "above_max"
    STEADY = "steady"
    AT_MAX = "at_max"
    AT_CPU_CAP = "at_cpu_cap"
    AT_MEMORY_CAP = "at_memory_cap"
    AT_PIDS_CAP = "at_pids_cap"
    AT_FILES_CAP = "at_files_cap"
    BOOTING = "booting"
    VERIFYING = "verifying"
    NO_GAIN = "no_gain"
    COOLING = "cooling"
    HELD = "held"
    OPERATOR = "operator"
    FROZEN = "frozen"
    BOOT_BACKOFF = "boot_backoff"
    MISSING = "missing"
    BOOT_FAILED = "boot_failed"


PAIRS: tuple[tuple[Action, Reason], ...] = (
    (Action.GROW, Reason.BACKLOG),
    (Action.GROW, Reason.ALL_BUSY),
    (Action.GROW, Reason.DEMAND),
    (Action.GROW, Reason.BELOW_MIN),
    (Action.GROW, Reason.QUEUE_TIME),
    (Action.GROW, Reason.PROBE),
    (Action.GROW, Reason.RECYCLE),
    (Action.SHRINK, Reason.LOAD_FELL),
    (Action.SHRINK, Reason.RECYCLE),
    (Action.SHRINK, Reason.DRAIN_FIRST),
    (Action.SHRINK, Reason.MEMORY),
    (Action.SHRINK, Reason.OOM_KILL),
    (Action.SHRINK, Reason.CPU),
    (Action.SHRINK, Reason.ABOVE_MAX),
    (Action.HOLD, Reason.STEADY),
    (Action.HOLD, Reason.AT_MAX),
    (Action.HOLD, Reason.AT_CPU_CAP),
    (Action.HOLD, Reason.AT_MEMORY_CAP),
    (Action.HOLD, Reason.AT_PIDS_CAP),
    (Action.HOLD, Reason.AT_FILES_CAP),
    (Action.HOLD, Reason.BOOTING),
    (Action.HOLD, Reason.VERIFYING),
    (Action.HOLD, Reason.NO_GAIN),
    (Action.HOLD, Reason.RECYCLE),
    (Action.HOLD, Reason.COOLING),
    (Action.HOLD, Reason.HELD),
    (Action.HOLD, Reason.OPERATOR),
    (Action.HOLD, Reason.FROZEN),
    (Action.HOLD, Reason.BOOT_BACKOFF),
    (Action.HOLD, Reason.MISSING),
    (Action.ROLLBACK, Reason.NO_GAIN),
    (Action.ROLLBACK, Reason.BOOT_FAILED),
)
"""Every pair that can occur; all are exported at 0 from the start so that increase() sees the first event."""


class Cause(str, Enum):
    """Why a worker is recycled; the exits are counted by it (`recycle_memory`, ...)."""

    MEMORY = "memory"
    """The memory limit would be reached before the next few recycles were over."""
    RELOAD = "reload"
    """A reload whose second set of workers would not have fitted into memory."""
    OPERATOR = "operator"
    """`gunicorn-autotune recycle`."""
    SIZE = "size"
    """Larger than recycle_uss_bytes or recycle_rss_bytes."""
    LEAK = "leak"
    """Its private memory grows with every request."""
    REQUESTS = "requests"
    """Gunicorn's max_requests."""
    AGE = "age"
    """Older than recycle_age_seconds."""


class Bottleneck(str, Enum):
    """What limits throughput now."""

    NONE = "none"
    WORKERS = "workers"
    CPU = "cpu"
    MEMORY = "memory"
    DOWNSTREAM = "downstream"
    LISTENER = "listener"


class CapName(str, Enum):
    """Which limit allows how many workers (`gunicorn_autotune_workers_cap{limit}`)."""

    CPU = "cpu"
    MEMORY = "memory"
    PIDS = "pids"
    FILES = "files"
    CONFIG_MAX = "config_max"


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer of the law. `target` is what the arbiter should run; equal to the present count for a hold."""

    action: Action
    reason: Reason
    target: int
    demand: Reading[float] = Missing("no load measured yet")
    """Workers the load needs, before any limit."""
    caps: Mapping[CapName, int] = field(default_factory=lambda: MappingProxyType({}))
    """Largest count each limit allows; a limit that allows any number is absent."""
    floor: int = 1
    bottleneck: Reading[Bottleneck] = Missing("no load measured yet")
    """Missing where nothing presses and the requests are not seen: then it may be anything."""
    scale_out_pressure: Reading[float] = Missing("no load measured yet")
    """demand / cap: above 1 this host is too small. Depends on load and limits only, never on the present count;
    keeps its value, 1 at most, while the bottleneck is downstream, because more hosts would not help."""
    victim: int | None = None
    """Age of the worker that should leave in a shrink; None: idle first, then the fattest."""
    cause: Cause | None = None
    """Of a recycle."""
    facts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """The figures behind the reason, with units in their names (`arrivals_per_second`, `busy_share`), for the log."""


def cap(decision: Decision) -> int | None:
    """The smallest of the caps, None where nothing limits."""
    return min(decision.caps.values(), default=None)
