"""Limits and use under cgroup v1, one hierarchy per controller. Kernel: Documentation/admin-guide/cgroup-v1/."""

from __future__ import annotations

from gunicorn_autotune.model.readings import UNLIMITED, Limit, Missing, Reading, Unlimited
from gunicorn_autotune.sensors.files import (
    Absent,
    parse_count,
    parse_keyed_count,
    read_count,
    read_keyed_count,
    read_text,
)
from gunicorn_autotune.sensors.walk import Grant, first_cpu_list, less, limit_in, sum_over, tightest

NO_LIMIT_BYTES = 1 << 60
"""v1 has no word for "none": it prints 2^63 rounded down to a page, whatever the page size."""


def read_memory_grant(levels: tuple[str, ...]) -> Grant:
    """Bytes: hierarchical_memory_limit, and usage minus total_inactive_file at the level that set it.

    The kernel did the walk already, ancestors outside a container's view included. When the ancestor that set the
    limit is not visible, the use is that of our own level: siblings under it cannot be seen.
    """
    path = f"{levels[0]}/memory.stat"
    limit = limit_in(path, parse_hierarchical_limit)
    if isinstance(limit, (Missing, Unlimited)):
        return Grant(limit, Missing(f"{path}: no memory limit whose use could be told"))
    level = next((level for level in levels if read_count(f"{level}/memory.limit_in_bytes") == limit), levels[0])
    used = read_count(f"{level}/memory.usage_in_bytes")
    return Grant(limit, less(used, read_keyed_count(f"{level}/memory.stat", "total_inactive_file")))


def parse_hierarchical_limit(text: str) -> Limit[int] | None:
    """Bytes from v1 memory.stat; None when the line is not there."""
    limit = parse_keyed_count(text, "hierarchical_memory_limit")
    return UNLIMITED if limit is not None and limit >= NO_LIMIT_BYTES else limit


def read_oom_kills(levels: tuple[str, ...]) -> Reading[int]:
    """Processes of our own cgroup killed for memory; Missing before Linux 4.13."""
    return read_keyed_count(f"{levels[0]}/memory.oom_control", "oom_kill")


def read_cpu_quota_cores(levels: tuple[str, ...]) -> Limit[float]:
    """The tightest cfs quota over period, in cores; unlike memory, v1 does not do this walk for us."""
    return tightest(levels, _quota_cores)[0]


def _quota_cores(level: str) -> Limit[float]:
    quota = read_text(f"{level}/cpu.cfs_quota_us")
    if isinstance(quota, Absent):
        return UNLIMITED
    period = read_text(f"{level}/cpu.cfs_period_us")
    if isinstance(quota, Missing):
        return quota
    if isinstance(period, Missing):
        return period
    cores = parse_cfs(quota, period)
    return Missing(f"{level}/cpu.cfs_quota_us: not understood: {quota[:40]!r}") if cores is None else cores


def parse_cfs(quota_text: str, period_text: str) -> Limit[float] | None:
    """Cores from cpu.cfs_quota_us (-1 is none) and cpu.cfs_period_us; None for garbage or zeros."""
    if quota_text.strip() == "-1":
        return UNLIMITED
    quota, period = parse_count(quota_text.strip()), parse_count(period_text.strip())
    return quota / period if quota and period else None


def read_throttled_seconds(levels: tuple[str, ...]) -> Reading[float]:
    """Cumulative seconds held back by a quota, ours or an ancestor's; v1 counts in nanoseconds."""
    throttled_ns = sum_over(levels, "cpu.stat", "throttled_time")
    return throttled_ns if isinstance(throttled_ns, Missing) else throttled_ns / 1e9


def read_cpuset_cores(levels: tuple[str, ...]) -> Reading[int]:
    """CPUs in the effective cpuset."""
    return first_cpu_list(levels, "cpuset.effective_cpus")
