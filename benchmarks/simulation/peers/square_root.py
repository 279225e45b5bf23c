"""Square-root staffing of measured busy workers: our demand without a boot limit, CPU clamp or throughput test.

n = ceil(a + 2 sqrt(a)), a = busy workers, mean of 3 s; 2 is the beta at which about 3 % of M/M/n arrivals wait
(Halfin and Whitt 1981). Grows at once, shrinks to the most it wanted in the last 300 s (HPA's window, and ours).
"""

from __future__ import annotations

import math
from collections import deque

from benchmarks.simulation.peers.paced import Paced, Window

from gunicorn_autotune.model.snapshot import Snapshot

BETA = 2.0
MEAN_SECONDS = 3.0
HOLD_SECONDS = 300.0


class SquareRoot(Paced):
    """Busy workers plus two roots of them."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(MEAN_SECONDS)
        self._wanted: deque[tuple[float, int]] = deque()

    def observe(self, snapshot: Snapshot) -> None:
        """Keep the busy time of the last 3 s."""
        self.window.add(snapshot)

    def act(self, snapshot: Snapshot) -> int:
        """The most of the last 300 s."""
        busy = self.window.busy(MEAN_SECONDS)
        wanted = math.ceil(busy + BETA * math.sqrt(max(0.0, busy)) - 1e-9)
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((snapshot.at, wanted))
        while self._wanted[0][0] <= snapshot.at - HOLD_SECONDS:
            self._wanted.popleft()
        return self._wanted[0][1]
