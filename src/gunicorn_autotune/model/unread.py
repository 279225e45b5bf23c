"""What a snapshot lacks that sizing goes by, and why: for the log, for `status`, each reason once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import READY_STATES, Snapshot, WorkerReading

HOST_NAMES = {
    "cpu_limit_cores": "CPU limit",
    "cpu_quota_cores": "CPU quota",
    "memory_limit_bytes": "memory limit",
    "memory_used_bytes": "memory in use",
    "pids_limit": "pids limit",
    "files_used": "open files",
}
WORKER_NAMES = {
    "cpu_seconds": "CPU time of workers",
    "run_delay_seconds": "time workers wait for a core",
    "rss_bytes": "RSS of workers",
    "memory": "USS of workers",
}
_NOT_YET = ("not read", "not read yet")
_PID = re.compile(r"(?<=/proc/)[0-9]+|(?<=pid=)[0-9]+")


def unread_of_host(snapshot: Snapshot) -> dict[str, str]:
    """Reason by name; listeners by their address."""
    found = {name: getattr(snapshot.host, field) for field, name in HOST_NAMES.items()}
    found |= {f"backlog of {listener.address}": listener.backlog for listener in snapshot.listeners}
    return {name: reading.why for name, reading in found.items() if isinstance(reading, Missing)}


def unread_of_workers(snapshot: Snapshot) -> dict[str, str]:
    """Reason by field of WorkerReading, where no ready worker has it: one that has just died lacks it too.

    Pids in paths are `PID`, since the reason is the same for all.
    """
    ready = [worker for worker in snapshot.workers if worker.state in READY_STATES]
    whys = {name: _why(name, ready) for name in WORKER_NAMES}
    return {name: why for name, why in whys.items() if why is not None}


def _why(name: str, ready: Iterable[WorkerReading]) -> str | None:
    readings = [getattr(worker, name) for worker in ready]
    told = [reading.why for reading in readings if isinstance(reading, Missing) and reading.why not in _NOT_YET]
    if not told or any(not isinstance(reading, Missing) for reading in readings):
        return None
    return _PID.sub("PID", told[0])


def by_reason(unread: dict[str, str]) -> dict[str, list[str]]:
    """The names that each reason explains."""
    found: dict[str, list[str]] = {}
    for name, why in unread.items():
        found.setdefault(why, []).append(name)
    return found
