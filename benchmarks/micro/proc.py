"""Figures of a process from /proc, read from outside. Linux."""

from __future__ import annotations

import os
import re
from pathlib import Path


def children(pid: int) -> list[int]:
    """Pids of the process's children."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


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
