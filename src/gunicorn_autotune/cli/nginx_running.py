"""A running nginx, found by its pid file: what its workers may do, and since when they run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil

WORKER = "nginx: worker process"
PROC, LISTEN = Path("/proc"), "0A"
_OPEN_FILES = re.compile(r"^Max open files\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workers:
    """Of one master."""

    started_unix_seconds: float
    """Of the youngest: each reload starts new ones."""
    open_files: int | None
    """Soft limit of the youngest; None for unlimited, or where it cannot be read."""


def read_workers(pid_file: str) -> Workers | None:
    """None when no nginx runs by this pid file, or it has no worker, or /proc does not tell."""
    try:
        master = psutil.Process(int(Path(pid_file).read_text()))
        if "nginx" not in master.name():
            return None
        young = max(filter(_works, master.children()), key=psutil.Process.create_time, default=None)
        return None if young is None else Workers(young.create_time(), _open_files(young.pid))
    except (OSError, ValueError, OverflowError, psutil.Error):
        return None


def _works(child: psutil.Process) -> bool:
    """Whether it is a worker that takes requests; nginx writes what a process is into its command line."""
    try:
        title = " ".join(child.cmdline())
    except psutil.Error:
        return False
    return title.startswith(WORKER) and "shutting down" not in title


def _open_files(pid: int) -> int | None:
    try:
        match = _OPEN_FILES.search(Path(f"/proc/{pid}/limits").read_text())
    except OSError:
        return None
    return int(match[1]) if match else None


def read_listening(proc: Path = PROC) -> frozenset[int] | None:
    """TCP ports that somebody listens at in this network namespace; None where the kernel does not tell."""
    found: set[int] = set()
    known = False
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        known = True
        for words in map(str.split, lines):
            if len(words) > 3 and words[3] == LISTEN:
                found.add(int(words[1].rpartition(":")[2], 16))
    return frozenset(found) if known else None
