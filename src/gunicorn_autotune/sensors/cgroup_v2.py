"""Limits and use under cgroup v2: the walk behind systemd's Effective*=. Kernel: admin-guide/cgroup-v2.rst."""

from __future__ import annotations

from gunicorn_autotune.model.readings import UNLIMITED, Limit, Missing, Reading, Unlimited
from gunicorn_autotune.sensors.files import parse_count, parse_max, read_count, read_keyed_count
from gunicorn_autotune.sensors.walk import Grant, first_cpu_list, less, limit_in, sum_over, tightest


def read_memory_grant(levels: tuple[str, ...]) -> Grant:
    """Bytes: the tightest memory.max or memory.high, and memory.current minus inactive_file at that level."""
    limit, level = tightest(levels, _memory_limit)
    if isinstance(limit, (Missing, Unlimited)):
        return Grant(limit, Missing(f"{level}: no memory limit whose use could be told"))
    used = read_count(f"{level}/memory.current")
    return Grant(limit, less(used, read_keyed_count(f"{level}/memory.stat", "inactive_file")))


def _memory_limit(level: str) -> Limit[int]:
    # Above memory.high nobody is killed, but every allocation is throttled: for a server that is a limit.
    hard, soft = limit_in(f"{level}/memory.max", parse_max), limit_in(f"{level}/memory.high", parse_max)
    numbers = [limit for limit in (hard, soft) if isinstance(limit, int)]
    if numbers:
        return min(numbers)
    return hard if isinstance(hard, Missing) else soft


def read_oom_kills(levels: tuple[str, ...]) -> Reading[int]:
    """Processes of our own cgroup (and below) that the kernel killed for memory, whichever ancestor ran out."""
    return read_keyed_count(f"{levels[0]}/memory.events", "oom_kill")


def read_cpu_quota_cores(levels: tuple[str, ...]) -> Limit[float]:
    """The tightest cpu.max, in cores."""
    return tightest(levels, lambda level: limit_in(f"{level}/cpu.max", parse_cpu_max))[0]


def parse_cpu_max(text: str) -> Limit[float] | None:
    """Cores from `<quota us|max> <period us>`; None for garbage, a zero quota or a zero period."""
    quota_word, _, period_word = text.strip().partition(" ")
    period = parse_count(period_word)
    if quota_word == "max":
        return UNLIMITED
    quota = parse_count(quota_word)
    return quota / period if quota and period else None


def read_throttled_seconds(levels: tuple[str, ...]) -> Reading[float]:
    """Cumulative seconds held back by a quota, ours or an ancestor's; summed over CPUs, so it may outrun the clock."""
    throttled_us = sum_over(levels, "cpu.stat", "throttled_usec")
    return throttled_us if isinstance(throttled_us, Missing) else throttled_us / 1e6


def read_cpuset_cores(levels: tuple[str, ...]) -> Reading[int]:
    """CPUs in the effective cpuset."""
    return first_cpu_list(levels, "cpuset.cpus.effective")
