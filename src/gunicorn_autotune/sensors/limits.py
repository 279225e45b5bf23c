"""Open files of this process; and what no tick needs but an operator should know: somaxconn, worker_tmp_dir's disk."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from gunicorn_autotune.model.readings import UNLIMITED, Limit, Missing, Reading
from gunicorn_autotune.sensors.files import read_count
from gunicorn_autotune.sensors.mounts import Mount, read_mounts

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def read_open_files_limit() -> Limit[int]:
    """Descriptors this process and every worker it starts may hold (the soft RLIMIT_NOFILE)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED if soft == resource.RLIM_INFINITY else soft


def read_open_files_used(proc: Path | str = Path("/proc")) -> Reading[int]:
    """Descriptors this process holds."""
    try:
        # Less the one that the listing itself takes.
        return len(os.listdir(f"{proc}/self/fd")) - 1  # noqa: PTH208 (bare names, a third of the time)
    except OSError as error:
        return Missing(f"{proc}/self/fd: {error.strerror}")


def read_somaxconn(proc: Path | str = Path("/proc")) -> Reading[int]:
    """The kernel's cap on every listen backlog of this network namespace: Gunicorn's 2048 counts only up to this."""
    return read_count(f"{proc}/sys/net/core/somaxconn")


def expected_backlog_limit(gunicorn_backlog: int, proc: Path | str = Path("/proc")) -> Reading[int]:
    """What listen() made of Gunicorn's `backlog` setting, for when the kernel does not tell: min with somaxconn."""
    somaxconn = read_somaxconn(proc)
    return somaxconn if isinstance(somaxconn, Missing) else max(0, min(gunicorn_backlog, somaxconn))


def read_filesystem(directory: Path, proc: Path = Path("/proc")) -> Reading[str]:
    """Type of the filesystem `directory` lies on: `tmpfs`, `ext4`, `overlay`."""
    path = f"{proc}/self/mountinfo"
    mounts = read_mounts(path)
    if isinstance(mounts, Missing):
        return mounts
    mount = mount_of(os.path.realpath(directory), mounts)
    return Missing(f"{path}: no mount holds {directory}") if mount is None else mount.filesystem


def is_in_memory(filesystem: str) -> bool:
    """Whether a heartbeat file there can stall on a disk: a blocked fchmod gets a healthy worker killed."""
    return filesystem in _IN_MEMORY


def mount_of(directory: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that holds an absolute path: the longest point wins, of equal ones the later, which hides the other."""
    best = None
    for mount in mounts:
        holds = directory == mount.point or directory.startswith(mount.point.rstrip("/") + "/")
        if holds and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best
