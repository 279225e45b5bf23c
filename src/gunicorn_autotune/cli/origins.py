"""Which file and which level a limit comes from, so that an operator knows where to change it."""

from __future__ import annotations

from collections.abc import Callable

from gunicorn_autotune.cli.finding import Host
from gunicorn_autotune.model.policy import written_in_force
from gunicorn_autotune.model.readings import Limit, Missing, Reading
from gunicorn_autotune.sensors import cgroup, cgroup_v1, cgroup_v2
from gunicorn_autotune.sensors.hierarchy import Hierarchy
from gunicorn_autotune.sensors.pids import read_pids_grant


def shown(path: str, host: Host) -> str:
    """A path without the prefix of a recorded host."""
    return path.removeprefix(host.cgroups.root) or "/"


def level_with(
    hierarchy: Reading[Hierarchy], limit: object, read: Callable[[tuple[str, ...]], Limit[float]]
) -> str | None:  # fmt: skip
    """The directory nearest to us whose own limit is `limit`; None when no level says so."""
    levels = () if isinstance(hierarchy, Missing) else hierarchy.levels
    return next((level for level in levels if read((level,)) == limit), None)


def cpu_origin(host: Host) -> str:
    """`quota of /sys/fs/cgroup/...`, `cpuset`, `affinity` or `every core of the machine`."""
    limit, reading = host.reading.cpu_limit_cores, host.reading
    if host.policy.cpu_limit_cores:
        return "cpu_limit_cores"
    if reading.cpu_quota_cores == limit and not isinstance(host.cgroups.cpu, Missing):
        files = cgroup_v1 if host.cgroups.cpu.version == 1 else cgroup_v2
        level = level_with(host.cgroups.cpu, limit, files.read_cpu_quota_cores)
        return f"quota of {shown(level or host.cgroups.cpu.own, host)}"
    if cgroup.read_online_cores(f"{host.root}/sys/devices/system/cpu/online") == limit:
        return "every core of the machine"
    if not isinstance(host.cgroups.cpuset, Missing):
        files = cgroup_v1 if host.cgroups.cpuset.version == 1 else cgroup_v2
        if files.read_cpuset_cores(host.cgroups.cpuset.levels) == limit:
            return f"cpuset of {shown(host.cgroups.cpuset.own, host)}"
    return "affinity of this process" if cgroup.read_affinity() == limit else "unknown origin"


def memory_origin(host: Host) -> str:
    """`memory_limit_bytes`, `/sys/fs/cgroup/.../memory.max` or `memory of the machine`."""
    if written_in_force(host.policy, host.reading):
        return "memory_limit_bytes"
    origin, hierarchy = host.reading.memory_limit_origin, host.cgroups.memory
    if origin == cgroup.MACHINE or isinstance(hierarchy, Missing) or isinstance(origin, Missing):
        return "memory of the machine"
    return f"{shown(hierarchy.levels[-1], host)}{origin}"


def pids_origin(host: Host) -> str:
    """`pids.max of /sys/fs/cgroup/...`."""
    level = level_with(host.cgroups.pids, host.reading.pids_limit, lambda levels: read_pids_grant(levels).limit)
    return f"pids.max of {shown(level, host)}" if level else "pids.max"
