"""Apache prefork's idle server maintenance, and with it PHP-FPM's `pm = dynamic`.

Source: apache/httpd server/mpm/prefork/prefork.c `perform_idle_server_maintenance`, once a second:
- idle > MaxSpareServers (10): end one; the spawn rate is 1 again.
- idle < MinSpareServers (5): start as many as the spawn rate and the free slots allow, then double the rate, up to
  MAX_SPAWN_RATE (32).
- between: the rate is 1 again.
- a starting child counts as idle: "we're just going to swamp things worse by forking more".

Approximated: Apache begins with StartServers (5), here with 2 as all others; it skips the second in which a child died;
it ends the idle child of the highest slot, here the simulated server chooses an idle one.
"""

from __future__ import annotations

from benchmarks.simulation.peers.paced import MAX_WORKERS, Paced, idle_or_starting

from gunicorn_autotune.model.snapshot import Snapshot, serving

MIN_SPARE = 5
MAX_SPARE = 10
MAX_SPAWN_RATE = 32


class Prefork(Paced):
    """MinSpareServers 5, MaxSpareServers 10."""

    def __init__(self) -> None:
        super().__init__()
        self.spawn_rate = 1

    def act(self, snapshot: Snapshot) -> int:
        """One cycle of maintenance."""
        count, idle = len(serving(snapshot)), idle_or_starting(snapshot)
        if idle > MAX_SPARE:
            self.spawn_rate = 1
            return count - 1
        if idle >= MIN_SPARE or count >= MAX_WORKERS:
            self.spawn_rate = 1
            return count
        count += min(self.spawn_rate, MAX_WORKERS - count)
        self.spawn_rate = min(MAX_SPAWN_RATE, 2 * self.spawn_rate)
        return count
