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
from gunicorn_autotune.sensors.walk import Grant, first_cpu_list, full_seconds, gone, less, limit_in, sum_over, tightest

NO_LIMIT_BYTES = 1 << 60
"""v1 has no word for "none": it prints 2^63 rounded down to a page, whatever the page size."""


def read_memory_grants(levels: tuple[str, ...]) -> tuple[Grant, ...]:
    """Bytes, for each level with a limit: memory.limit_in_bytes, and the working set there.

    hierarchical_memory_limit of our own level is the smallest over all ancestors, those outside a container's view
    included. One out of sight has no use that could be read: that of the highest level in view comes nearest to it.
    """
    path = f"{levels[0]}/memory.stat"
    smallest = limit_in(path, parse_hierarchical_limit)
    if isinstance(smallest, Missing):
        return (Grant(smallest, smallest),)
    if isinstance(smallest, Unlimited):
        lost = gone(levels)
        return () if lost is None else (Grant(lost, lost),)
    # An ancestor with less than the smallest that holds for us keeps its limit to itself (use_hierarchy = 0).
    found = map(_memory_grant, levels)
    grants = tuple(grant for grant in found if isinstance(grant.limit, int) and grant.limit >= smallest)
    if any(grant.limit == smallest for grant in grants):
        return grants
    if limit_in(path, parse_hierarchical_limit) != smallest:
        # Changed between the two reads; the next look has both.
        return grants or (Grant(changing := Missing(f"{path}: the limit has just changed"), changing),)
    return (*grants, Grant(smallest, read_memory_used(levels[-1]), f"{path} hierarchical_memory_limit"))


def _memory_grant(level: str) -> Grant:
    file = f"{level}/memory.limit_in_bytes"
    limit = read_count(file)
    if isinstance(limit, Missing) or limit >= NO_LIMIT_BYTES:
        return Grant(limit if isinstance(limit, Missing) else UNLIMITED, Missing(f"{level}: no memory limit"))
    return Grant(limit, read_memory_used(level), file)


def read_memory_used(level: str) -> Reading[int]:
    """Bytes: the working set, usage minus total_inactive_file."""
    inactive = read_keyed_count(f"{level}/memory.stat", "total_inactive_file")
    return less(read_count(f"{level}/memory.usage_in_bytes"), inactive)


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


def read_full_seconds(levels: tuple[str, ...]) -> Reading[tuple[float, ...]]:
    """Cumulative seconds of the periods whose quota was used up, by level."""
    return full_seconds(levels, _period_seconds)


def _period_seconds(level: str) -> float | None:
    period_us = read_count(f"{level}/cpu.cfs_period_us")
    return None if isinstance(period_us, Missing) else period_us / 1e6


def read_cpuset_cores(levels: tuple[str, ...]) -> Reading[int]:
    """CPUs in the effective cpuset."""
    return first_cpu_list(levels, "cpuset.effective_cpus")
