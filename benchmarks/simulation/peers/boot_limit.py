"""Any controller with our limit on boots that run at once, so that a rule is judged and not its fork storm.

ceil(max(K/2, K - C) x max(1, 1 s / boot CPU)) - booting, once a second: k boots on K cores all finish at k x boot / K
(research notes 2.2, 2.3; law/caps.py holds the law's own). Boot CPU is the mean of those seen, 1 s before the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmarks.simulation.peers.paced import Paced, Window, booting

from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import Snapshot, serving


class BootLimited(Paced):
    """What `inner` wants, as fast as the cores can boot it."""

    def __init__(self, inner: Callable[[Snapshot], int]) -> None:
        super().__init__()
        self.inner = inner
        self.window = Window(1.0)
        self._wanted = 0

    def observe(self, snapshot: Snapshot) -> None:
        """Let the inner controller see everything."""
        self._wanted = self.inner(snapshot)
        self.window.add(snapshot)

    def act(self, snapshot: Snapshot) -> int:
        """The inner wish, at most what is there plus the boots allowed now."""
        return min(self._wanted, len(serving(snapshot)) + self.allowed(snapshot))

    def allowed(self, snapshot: Snapshot) -> int:
        """Boots that may start now."""
        cores = known(snapshot.host.cpu_limit_cores, 1.0)
        totals = snapshot.totals
        boot_cpu = totals.boot_cpu_seconds / totals.boots if totals.boots else 1.0
        idle = max(cores / 2.0, cores - self.window.cores(1.0))
        return max(0, math.ceil(idle * max(1.0, 1.0 / max(boot_cpu, 1e-3))) - booting(snapshot))
