"""How much of the machine others used during a run: what a run is worth depends on it. Linux."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.micro import proc

MOMENT_SECONDS = 2.0
_STAT = Path("/proc/stat")
_HERTZ = os.sysconf("SC_CLK_TCK")


def wait_for_quiet(most_cores: float, patience_seconds: float) -> bool:
    """Return once the machine uses at most so much for a moment; False when patience ends first."""
    deadline = time.monotonic() + patience_seconds
    while True:
        before = machine_seconds(_STAT.read_text())
        time.sleep(MOMENT_SECONDS)
        if machine_seconds(_STAT.read_text()) - before <= most_cores * MOMENT_SECONDS:
            return True
        if time.monotonic() >= deadline:
            return False


class Watch:
    """From its making on: cores used by neither this process nor a server and its children."""

    def __init__(self, server_pid: int) -> None:
        self.server_pid = server_pid
        self.began = time.monotonic()
        self.before = self._foreign_seconds()

    def cores(self) -> float:
        """The mean so far; never below 0, as the two accounts are not read at the same instant."""
        return max(0.0, self._foreign_seconds() - self.before) / (time.monotonic() - self.began)

    def _foreign_seconds(self) -> float:
        own = time.process_time() + tree_seconds(self.server_pid)
        return machine_seconds(_STAT.read_text()) - own


def machine_seconds(stat: str) -> float:
    """CPU time of all cores that was neither idle nor waiting for a disk, from the text of /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) for word in stat.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _HERTZ


def tree_seconds(pid: int) -> float:
    """CPU time of a process, its children, those that have ended and been reaped included, and its exporter."""
    tree = (pid, *proc.children(pid), *proc.exporters(pid))
    return sum(process_seconds(Path(f"/proc/{one}/stat").read_text()) for one in tree)


def process_seconds(stat: str) -> float:
    """Own and reaped children's CPU time, from the text of /proc/PID/stat."""
    # The name may hold spaces and brackets: what follows the last bracket is numbers.
    words = stat.rpartition(")")[2].split()
    return sum(int(word) for word in words[11:15]) / _HERTZ
