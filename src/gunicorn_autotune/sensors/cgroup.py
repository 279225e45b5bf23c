"""What the host grants and what is used of it: the cgroup's limits narrowed by the machine's own, as one reading."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gunicorn_autotune.model.readings import HostReading, Limit, Missing, Reading, Unlimited
from gunicorn_autotune.sensors import cgroup_v1, cgroup_v2
from gunicorn_autotune.sensors.files import garbage, parse_count, parse_cpu_list, read_text
from gunicorn_autotune.sensors.hierarchy import Cgroups, Hierarchy, OutOfSight, find_cgroup, moved
from gunicorn_autotune.sensors.limits import read_open_files_limit, read_open_files_used
from gunicorn_autotune.sensors.pids import read_pids_grant
from gunicorn_autotune.sensors.pressure import read_pressure
from gunicorn_autotune.sensors.walk import Grant, least_room

__all__ = ["Cgroups", "find_cgroup", "read_host"]


MACHINE = "machine"
"""Origin of a limit that no cgroup sets."""


class _Files(Protocol):
    """What cgroup_v1 and cgroup_v2 both answer, each from its own file names."""

    def read_memory_grants(self, levels: tuple[str, ...]) -> tuple[Grant, ...]: ...
    def read_memory_used(self, level: str) -> Reading[int]: ...
    def read_oom_kills(self, levels: tuple[str, ...]) -> Reading[int]: ...
    def read_cpu_quota_cores(self, levels: tuple[str, ...]) -> Limit[float]: ...
    def read_throttled_seconds(self, levels: tuple[str, ...]) -> Reading[float]: ...
    def read_full_seconds(self, levels: tuple[str, ...]) -> Reading[tuple[float, ...]]: ...
    def read_cpuset_cores(self, levels: tuple[str, ...]) -> Reading[int]: ...


_FILES: dict[int, _Files] = {1: cgroup_v1, 2: cgroup_v2}


def read_host(cgroups: Cgroups, affinity_cores: Reading[int] | None = None) -> HostReading:
    """Everything re-read, since an in-place resize or `systemctl set-property` changes limits under a running server.

    `affinity_cores` stands in for the CPUs this process may run on; None asks the kernel. Never raises.
    """
    if moved(cgroups):
        cgroups = find_cgroup(Path(cgroups.root or "/"))
    memory = _memory(cgroups)
    quota, throttled_seconds, full_seconds = _cpu(cgroups.cpu)
    pids = (
        Grant(cgroups.pids, cgroups.pids) if isinstance(cgroups.pids, Missing) else read_pids_grant(cgroups.pids.levels)
    )
    proc, own = f"{cgroups.root}/proc", None if isinstance(cgroups.unified, Missing) else cgroups.unified.own
    return HostReading(
        cpu_limit_cores=_cpu_limit_cores(cgroups, quota, read_affinity() if affinity_cores is None else affinity_cores),
        cpu_quota_cores=quota,
        memory_limit_bytes=memory.grant.limit,
        memory_used_bytes=memory.grant.used,
        pids_limit=pids.limit,
        pids_used=pids.used,
        cpu_throttled_seconds=throttled_seconds,
        oom_kills=memory.oom_kills,
        cpu_pressure=read_pressure("cpu", own, proc),
        memory_pressure=read_pressure("memory", own, proc),
        io_pressure=read_pressure("io", own, proc),
        files_limit=read_open_files_limit(),
        files_used=read_open_files_used(proc),
        memory_limit_origin=_origin(cgroups, memory.grant),
        memory_least_limit_bytes=memory.least_limit,
        memory_own_bytes=memory.own_used,
        cpu_full_seconds=full_seconds,
        read_at=time.monotonic(),
    )


@dataclass(frozen=True, slots=True)
class _Memory:
    """What limits memory, and what is used of it."""

    grant: Grant
    least_limit: Limit[int]
    own_used: Reading[int]
    oom_kills: Reading[int]


def _memory(cgroups: Cgroups) -> _Memory:
    machine = read_machine_memory(f"{cgroups.root}/proc/meminfo")
    hierarchy = cgroups.memory
    if isinstance(hierarchy, Missing):
        # Without a mount the machine's is all that is known. Where the mount is another's view, there is a limit
        # perhaps, far below the machine's.
        grant = Grant(hierarchy, hierarchy) if isinstance(hierarchy, OutOfSight) else machine
        return _Memory(grant, grant.limit, hierarchy, hierarchy)
    files, levels = _FILES[hierarchy.version], hierarchy.levels
    grants = files.read_memory_grants(levels)
    grant = tightest_grant(grants, machine)
    limits = [one.limit for one in (*grants, machine) if isinstance(one.limit, int)]
    least = grant.limit if isinstance(grant.limit, Missing) else min(limits)
    return _Memory(grant, least, files.read_memory_used(levels[0]), files.read_oom_kills(levels))


def grants_memory(cgroups: Cgroups) -> bool:
    """Whether a cgroup in view limits memory."""
    hierarchy = cgroups.memory
    return not isinstance(hierarchy, Missing) and bool(_FILES[hierarchy.version].read_memory_grants(hierarchy.levels))


def tightest_grant(cgroups: tuple[Grant, ...], machine: Grant) -> Grant:
    """The grant with the least room, the machine's among them; the cgroup's when it is Missing.

    A cgroup that exists and cannot be read may limit us far below the machine: taking the machine's word for it
    would be acting on a Missing reading.
    """
    unreadable = next((grant for grant in cgroups if isinstance(grant.limit, Missing)), None)
    return unreadable or least_room((*cgroups, machine)) or machine


def _origin(cgroups: Cgroups, grant: Grant) -> Reading[str]:
    """The file of the limit, from the top of its cgroup mount on: `/system.slice/app.service/memory.max`."""
    if isinstance(grant.limit, Missing):
        return grant.limit
    top = "" if isinstance(cgroups.memory, Missing) else cgroups.memory.levels[-1]
    return grant.file.removeprefix(top)


def read_machine_memory(path: str) -> Grant:
    """Bytes: MemTotal, and MemTotal minus MemAvailable (page cache counts as free) from /proc/meminfo.

    The room is then MemAvailable: what the kernel expects to give without swapping, whoever asks.
    """
    text = read_text(path)
    if isinstance(text, Missing):
        return Grant(text, text)
    total, available = parse_meminfo_bytes(text, "MemTotal"), parse_meminfo_bytes(text, "MemAvailable")
    if total is None:
        return Grant(garbage(path, text), garbage(path, text))
    used = Missing(f"{path}: no MemAvailable") if available is None else max(0, total - available)
    return Grant(total, used, MACHINE)


def parse_meminfo_bytes(text: str, key: str) -> int | None:
    """Bytes of a line such as `MemTotal:       24684096 kB`; None when it is not there."""
    for line in text.splitlines():
        if line.startswith(f"{key}:"):
            words = line.split()
            kibibytes = parse_count(words[1]) if len(words) == 3 and words[2] == "kB" else None
            return None if kibibytes is None else kibibytes * 1024
    return None


def _cpu(hierarchy: Reading[Hierarchy]) -> tuple[Limit[float], Reading[float], Reading[tuple[float, ...]]]:
    if isinstance(hierarchy, Missing):
        return hierarchy, hierarchy, hierarchy
    files, levels = _FILES[hierarchy.version], hierarchy.levels
    return files.read_cpu_quota_cores(levels), files.read_throttled_seconds(levels), files.read_full_seconds(levels)


def _cpu_limit_cores(cgroups: Cgroups, quota: Limit[float], affinity: Reading[int]) -> Reading[float]:
    cpuset: Reading[int] = (
        cgroups.cpuset
        if isinstance(cgroups.cpuset, Missing)
        else _FILES[cgroups.cpuset.version].read_cpuset_cores(cgroups.cpuset.levels)
    )
    online = read_online_cores(f"{cgroups.root}/sys/devices/system/cpu/online")
    limits: list[Limit[float]] = [quota, cpuset, affinity, online]
    cores = [float(limit) for limit in limits if not isinstance(limit, (Missing, Unlimited))]
    return min(cores) if cores else online if isinstance(online, Missing) else Missing("no CPU count on this host")


def read_online_cores(path: str) -> Reading[int]:
    """CPUs switched on. Not os.cpu_count(): PYTHON_CPU_COUNT overrides that from Python 3.13 on."""
    text = read_text(path)
    if isinstance(text, Missing):
        return text
    cores = parse_cpu_list(text)
    return garbage(path, text) if cores is None else cores


def read_affinity() -> Reading[int]:
    """CPUs this process may run on, inherited by its workers; Missing on hosts without sched_getaffinity (macOS)."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError) as error:
        return Missing(f"sched_getaffinity: {error}")
