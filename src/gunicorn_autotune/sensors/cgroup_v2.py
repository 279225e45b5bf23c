"""Limits and use under cgroup v2: the walk behind systemd's Effective*=. Kernel: admin-guide/cgroup-v2.rst."""

from __future__ import annotations

from gunicorn_autotune.model.readings import UNLIMITED, Limit, Missing, Reading
from gunicorn_autotune.sensors.files import parse_count, parse_max, read_count, read_keyed_count, read_text
from gunicorn_autotune.sensors.walk import (
    Grant,
    first_cpu_list,
    full_seconds,
    grants_at,
    less,
    limit_in,
    sum_over,
    tightest,
)


def read_memory_grants(levels: tuple[str, ...]) -> tuple[Grant, ...]:
    """Bytes, for each level with a limit: the lower of memory.max and memory.high, and the working set there."""
    return grants_at(levels, _memory_grant)


def _memory_grant(level: str) -> Grant:
    # Above memory.high nobody is killed, but every allocation is throttled: for a server that is a limit.
    files = [f"{level}/memory.max", f"{level}/memory.high"]
    limits = [limit_in(file, parse_max) for file in files]
    numbers = [(limit, file) for limit, file in zip(limits, files, strict=True) if isinstance(limit, int)]
    if numbers:
        limit, file = min(numbers)
        return Grant(limit, read_memory_used(level), file)
    unread = next((limit for limit in limits if isinstance(limit, Missing)), None)
    return Grant(unread or UNLIMITED, unread or Missing(f"{level}: no memory limit"))


def read_memory_used(level: str) -> Reading[int]:
    """Bytes: the working set, memory.current minus inactive_file; the root cgroup has none."""
    return less(read_count(f"{level}/memory.current"), read_keyed_count(f"{level}/memory.stat", "inactive_file"))


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


def read_full_seconds(levels: tuple[str, ...]) -> Reading[tuple[float, ...]]:
    """Cumulative seconds of the periods whose quota was used up, by level."""
    return full_seconds(levels, _period_seconds)


def _period_seconds(level: str) -> float | None:
    text = read_text(f"{level}/cpu.max")
    period_us = None if isinstance(text, Missing) else parse_count(text.strip().partition(" ")[2])
    return None if period_us is None else period_us / 1e6


def read_cpuset_cores(levels: tuple[str, ...]) -> Reading[int]:
    """CPUs in the effective cpuset."""
    return first_cpu_list(levels, "cpuset.cpus.effective")
