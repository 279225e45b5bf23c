"""One more when requests queue, one less after a long calm: Judoscale and Heroku, on workers instead of machines.

Judoscale's docs (tuning your application): queue time decides, +1 at most every 10 s, -1 after 10 min below. The
threshold here is this comparison's own: 5 % of the requests started in the last 10 s waited over 100 ms.
"""

from __future__ import annotations

from bisect import bisect_left

from benchmarks.simulation.peers.paced import Paced, waiting

from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS, Snapshot, serving

THRESHOLD_SECONDS = 0.1
LATE_SHARE = 0.05
DOWN_SECONDS = 600.0


class QueueSteps(Paced):
    """+1 per 10 s of queueing, -1 per 10 min without."""

    period_seconds = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._before: tuple[int, ...] = ()
        self._calm_from = 0.0

    def act(self, snapshot: Snapshot) -> int:
        """One look at the last 10 s."""
        counts = snapshot.totals.queue_time_counts
        started = [now - before for now, before in zip(counts, self._before or (0,) * len(counts), strict=True)]
        self._before = counts
        count = len(serving(snapshot))
        if self._late(started, waiting(snapshot)):
            self._calm_from = snapshot.at
            return count + 1
        if snapshot.at - self._calm_from >= DOWN_SECONDS:
            self._calm_from = snapshot.at
            return count - 1
        return count

    def _late(self, started: list[int], backlog: int) -> bool:
        late = sum(started[bisect_left(QUEUE_TIME_BOUNDS_SECONDS, THRESHOLD_SECONDS) + 1 :])
        return late > LATE_SHARE * sum(started) if sum(started) else backlog > 0
