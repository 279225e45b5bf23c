"""The host where there is no /proc (macOS): metrics only, since nothing there tells limits or pressure."""

from __future__ import annotations

import time

import psutil

from gunicorn_autotune.model.readings import HostReading, Missing, Reading
from gunicorn_autotune.sensors.limits import read_open_files_limit

_NO_PROC = Missing("no /proc or cgroup on this host")


def read_host() -> HostReading:
    """Total and used memory and the CPU count as psutil tells them; everything else is Missing."""
    memory = _memory()
    cores = psutil.cpu_count()
    return HostReading(
        cpu_limit_cores=Missing("psutil: no CPU count") if cores is None else float(cores),
        cpu_quota_cores=_NO_PROC,
        memory_limit_bytes=memory if isinstance(memory, Missing) else memory[0],
        memory_used_bytes=memory if isinstance(memory, Missing) else memory[1],
        pids_limit=_NO_PROC,
        pids_used=_NO_PROC,
        files_limit=read_open_files_limit(),
        files_used=_NO_PROC,
        cpu_throttled_seconds=_NO_PROC,
        oom_kills=_NO_PROC,
        cpu_pressure=_NO_PROC,
        memory_pressure=_NO_PROC,
        io_pressure=_NO_PROC,
        memory_limit_origin=memory if isinstance(memory, Missing) else "machine",
        memory_least_limit_bytes=memory if isinstance(memory, Missing) else memory[0],
        memory_own_bytes=_NO_PROC,
        cpu_full_seconds=_NO_PROC,
        read_at=time.monotonic(),
    )


def _memory() -> Reading[tuple[int, int]]:
    try:
        memory = psutil.virtual_memory()
    except (psutil.Error, OSError, RuntimeError) as error:
        return Missing(f"psutil.virtual_memory: {error}")
    return memory.total, max(0, memory.total - memory.available)
