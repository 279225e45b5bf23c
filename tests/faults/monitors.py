"""Programs of others that watch a Gunicorn from outside and renew its workers, as they do it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.faults.processes import children
from tests.server import wait_for

READY = "[ready]"
SAYS_READY = f"""
def post_worker_init(worker):
    with open("/proc/self/comm", "w") as file:
        file.write("{READY}")
"""
"""For gunicorn.conf.py; Airflow writes its mark into the process title."""


@dataclass(frozen=True)
class AirflowMonitor:
    """Airflow's GunicornMonitor (airflow/cli/commands/webserver_command.py of 2.x), without its pauses.

    All children of the master count as workers; a batch is added by TTIN, and when every child says that it is ready,
    the excess is taken away by TTOU. It waits for exact counts, and gives the server up when one does not come.
    """

    master: int
    workers_expected: int
    batch: int

    def refresh_all(self) -> None:
        """As many refreshes as it takes to renew every worker, if each TTOU takes the oldest."""
        self._wait(self.workers_expected)
        for _ in range(-(-self.workers_expected // self.batch)):
            for excess in range(1, self.batch + 1):
                os.kill(self.master, signal.SIGTTIN)
                self._wait(self.workers_expected + excess)
            wait_for(self._all_ready, f"a ready mark on each of {children(self.master)}")
            for excess in reversed(range(self.batch)):
                os.kill(self.master, signal.SIGTTOU)
                self._wait(self.workers_expected + excess)

    def _wait(self, count: int) -> None:
        wait_for(lambda: len(children(self.master)) == count, f"{count} children of {self.master}")

    def _all_ready(self) -> bool:
        return all(Path(f"/proc/{pid}/comm").read_text().startswith(READY) for pid in children(self.master))


def replace_oldest_child(master: int) -> None:
    """What scripts do with `kill $(pgrep -o -P MASTER)`: end the oldest child, and wait for another one."""
    before = children(master)
    oldest = min(before, key=_started)
    os.kill(oldest, signal.SIGTERM)
    wait_for(lambda: oldest not in (now := children(master)) and len(now) == len(before), "a child in its place")


def _started(pid: int) -> tuple[int, int]:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]), pid
