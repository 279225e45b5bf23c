"""Figures of a process from /proc, read from outside. Linux."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


def children(pid: int) -> list[int]:
    """Pids of the process's children."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def exporters(arbiter: int) -> list[int]:
    """Pids of the exporters that say in their command line that they are of this arbiter; they are no children."""
    title, found = f"metrics exporter of {arbiter}'".encode(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and title in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of all its living threads, in nanoseconds' precision (schedstat)."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
        total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return total / 1e9


def memory_bytes(pid: int) -> dict[str, int]:
    """`uss` (private pages only) and `pss` (shared ones divided by their sharers) of smaps_rollup."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    return {"uss": sizes["Private_Clean"] + sizes["Private_Dirty"], "pss": sizes["Pss"]}
