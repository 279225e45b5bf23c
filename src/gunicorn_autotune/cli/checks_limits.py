"""Checks of what the host grants: cores, memory, processes, descriptors, the queue's length, the heartbeat's disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gunicorn_autotune.cli.finding import Check, Finding, Host, fail, ok, warn
from gunicorn_autotune.cli.heartbeat import memory_folder_works
from gunicorn_autotune.cli.origins import cpu_origin, memory_origin, pids_origin, shown
from gunicorn_autotune.cli.style import bytes_text, figure
from gunicorn_autotune.law.memory import memory_budget
from gunicorn_autotune.model.policy import memory_in_force
from gunicorn_autotune.model.readings import Missing, Reading, Unlimited, known
from gunicorn_autotune.sensors import limits
from gunicorn_autotune.sensors.cgroup import MACHINE, grants_memory
from gunicorn_autotune.sensors.files import Absent
from gunicorn_autotune.sensors.hierarchy import Hierarchy, OutOfSight, hides_ancestors

ENOUGH_FILES = 4096
FILES_BESIDE_WORKERS = 40
"""In the arbiter, which holds one for each worker, and for each of two sets in a reload."""
WRITE_BOTH = "set memory_limit_bytes and cpu_limit_cores"
WHOLE_PROC = "take ProcSubset=pid out of the unit"
OUT_OF_SIGHT = "limits above this cgroup namespace (of a pod, a slice) are out of sight"
TASKS_A_WORKER = 2
"""Besides its threads, as the law counts."""


def check_cgroup(host: Host) -> Finding | None:
    """Version and place of each controller."""
    places: dict[str, list[str]] = {}
    unread: dict[str, list[str]] = {}
    for name in ("cpu", "cpuset", "memory", "pids"):
        hierarchy = getattr(host.cgroups, name)
        if isinstance(hierarchy, Missing):
            unread.setdefault(hierarchy.why, []).append(name)
        else:
            places.setdefault(f"v{hierarchy.version} {shown(hierarchy.own, host)}", []).append(name)
    found = "; ".join(f"{', '.join(names)}: {place}" for place, names in (places | unread).items())
    if any(isinstance(getattr(host.cgroups, name), OutOfSight) for name in ("cpu", "memory")):
        cure = "remove the bind mount of /sys/fs/cgroup, or run with --cgroupns=host"
        return warn(found, f"{cure}; otherwise {WRITE_BOTH}")
    if unread:
        return warn(found, "fine on a plain machine; in a container, mount /sys/fs/cgroup")
    return ok(found)


def check_cpu_limit(host: Host) -> Finding | None:
    """Cores, and where that comes from."""
    limit = host.policy.cpu_limit_cores or host.reading.cpu_limit_cores
    if isinstance(limit, Missing):
        return warn(limit.why, "set cpu_limit_cores")
    text = f"{figure(limit)} {'core' if limit == 1 else 'cores'}: {cpu_origin(host)}"
    quota = None if host.policy.cpu_limit_cores else host.reading.cpu_quota_cores
    if isinstance(quota, OutOfSight):
        return warn(f"{text}; a quota cannot be seen: {quota.why}", "set cpu_limit_cores")
    if isinstance(quota, Unlimited) and _hides_ancestors(host.cgroups.cpu):
        return warn(f"{text}; {OUT_OF_SIGHT}", "set cpu_limit_cores if there is a quota")
    return ok(text)


def _hides_ancestors(hierarchy: Reading[Hierarchy]) -> bool:
    return not isinstance(hierarchy, Missing) and hides_ancestors(hierarchy)


def check_memory_limit(host: Host) -> Finding | None:
    """Bytes, where that comes from, and whether growth has room."""
    limit, used = memory_in_force(host.policy, host.reading)
    if isinstance(limit, Missing):
        return warn(
            limit.why, f"{WHOLE_PROC} or set memory_limit_bytes" if _hidden(limit) else "set memory_limit_bytes"
        )
    if host.policy.memory_limit_bytes and isinstance(host.reading.memory_own_bytes, Missing):
        return ok(f"{bytes_text(host.policy.memory_limit_bytes)}, as set, compared with what the workers take")
    if isinstance(limit, Unlimited) or isinstance(used, Missing):
        why = used.why if isinstance(used, Missing) else "no limit and no MemTotal"
        return warn(f"memory in use cannot be told: {why}", "memory will cap nothing; keep max_workers low enough")
    text = f"{bytes_text(limit)}, {used / max(1, limit):.0%} in use: {memory_origin(host)}"
    unlimited = not host.policy.memory_limit_bytes and host.reading.memory_limit_origin == MACHINE
    if unlimited and not grants_memory(host.cgroups) and _hides_ancestors(host.cgroups.memory):
        return warn(f"{text}; {OUT_OF_SIGHT}", "set memory_limit_bytes if there is one")
    budget = memory_budget(host.policy, host.reading)
    if budget is not None and budget < 0.0:
        return warn(f"{text}; the reserve is in use, so nothing can grow", "raise the limit, or stop what else runs")
    return ok(text)


def _hidden(reading: Missing) -> bool:
    """What lies in /proc beside the processes is not there: systemd's ProcSubset=pid."""
    return isinstance(reading, Absent)


def check_pids_limit(host: Host) -> Finding | None:
    """Whether max_workers fit under the limit on tasks."""
    limit, used = host.reading.pids_limit, host.reading.pids_used
    if isinstance(limit, Missing):
        return warn(limit.why, "nothing, unless fork() fails")
    if isinstance(limit, Unlimited):
        return ok("no limit")
    needed = host.max_workers * (host.setting("threads", 1) + TASKS_A_WORKER)
    text = f"{limit}, {'?' if isinstance(used, Missing) else used} in use: {pids_origin(host)}"
    if limit - known(used, 0) < needed:
        return warn(f"{text}; {host.max_workers} workers need {needed}", "raise TasksMax or the pids limit")
    return ok(text)


def check_max_workers(host: Host) -> Finding | None:
    """The largest count: the operator's, or the automatic one."""
    most, least = host.max_workers, host.policy.min_workers
    connections = f"the database must take {most} times a worker's connections"
    if host.policy.max_workers:
        return ok(f"{most}, as set (min_workers {least}); {connections}")
    return ok(f"{most}, automatic for these cores and memory (min_workers {least}); {connections}")


def check_open_files(host: Host) -> Finding | None:
    """Descriptors a worker and the arbiter may hold, as this shell has them; a service's limit is LimitNOFILE."""
    limit = limits.read_open_files_limit()
    in_arbiter = 2 * host.max_workers + FILES_BESIDE_WORKERS
    needed = max(ENOUGH_FILES, 2 * host.setting("worker_connections", 1000), in_arbiter)
    if isinstance(limit, Missing):
        return warn(limit.why, "LimitNOFILE=65535 in the unit")
    if isinstance(limit, Unlimited):
        return ok("no limit")
    if limit < needed:
        return warn(f"{limit} in this shell, less than {needed}", "LimitNOFILE=65535 in the unit; here ulimit -n 65535")
    return ok(f"{limit} in this shell")


def check_somaxconn(host: Host) -> Finding | None:
    """The queue really granted: min(backlog, net.core.somaxconn)."""
    asked, granted = host.setting("backlog", 2048), limits.read_somaxconn(host.proc)
    if isinstance(granted, Missing):
        advice = f"{WHOLE_PROC} or do" if _hidden(granted) else "do"
        return warn(granted.why, f"{advice} nothing; the kernel cuts Gunicorn's backlog silently")
    if granted < asked:
        return warn(f"{granted}: Gunicorn's backlog of {asked} becomes {granted}", f"sysctl net.core.somaxconn={asked}")
    return ok(f"{granted}: Gunicorn's backlog of {asked} counts in full")


def check_worker_tmp_dir(host: Host) -> Finding | None:
    """Whether the heartbeat file of each worker lies in memory."""
    written = host.setting("worker_tmp_dir", "")
    folder = Path(written or tempfile.gettempdir())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        what = "cannot be written" if folder.is_dir() else "is no directory"
        return fail(f"{folder} {what}: no worker would start", 'worker_tmp_dir = "/dev/shm"')
    filesystem = limits.read_filesystem(folder, host.proc)
    if isinstance(filesystem, Missing):
        return warn(filesystem.why, 'worker_tmp_dir = "/dev/shm" is safe where that is tmpfs')
    if limits.is_in_memory(filesystem):
        return ok(f"{folder} is {filesystem}: heartbeats lie in memory")
    advice = 'worker_tmp_dir = "/dev/shm"' if memory_folder_works(host.proc) else "mount a tmpfs and set worker_tmp_dir"
    return warn(f"{folder} is on {filesystem}: a stalled disk gets healthy workers killed", advice)


CHECKS: dict[str, Check] = {
    "cgroup": check_cgroup,
    "cpu_limit": check_cpu_limit,
    "memory_limit": check_memory_limit,
    "pids_limit": check_pids_limit,
    "max_workers": check_max_workers,
    "open_files": check_open_files,
    "somaxconn": check_somaxconn,
    "worker_tmp_dir": check_worker_tmp_dir,
}
