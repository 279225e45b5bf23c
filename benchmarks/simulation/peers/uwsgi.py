"""uWSGI's cheaper with the busyness plugin, defaults of its source.

Source: unbit/uwsgi plugins/cheaper_busyness/cheaper_busyness.c, called once a second (master_interval) by
core/master_utils.c `uwsgi_calc_cheaper`; cheaper 2, workers 64, cheaper-step 1, cheaper-overload 3 s (core/init.c):
- Each window of 3 s: a worker's busyness is the running time it gained, in % of the window, at most 100. Running time
  moves when a request ends; a worker seen busy whose running time stood still counts 100 %. Mean over active workers.
- Mean > 50: one worker more. Within multiplier (10) windows of the last shrink the multiplier grows by 2, else it goes
  back by 1, never below 10. The shrink timer starts again: 3 s x multiplier.
- Mean < 25, the timer over, more than 2 active: one worker less. Between: the timer moves on 3 s, from the third such
  window on it starts again.
- Each second: backlog > 33 starts an emergency worker, at once; so does a backlog above 0 for 60 s. While there are
  emergency workers the timer is only 3 s x 3.

Approximated: running time per worker, see RunningTimes; the oldest worker leaves in uWSGI, here the simulated server
chooses an idle one. A booting worker is active and 0 % busy, as in uWSGI with lazy-apps.
"""

from __future__ import annotations

from collections import Counter

from benchmarks.simulation.peers.paced import MAX_WORKERS, MIN_WORKERS, Paced, waiting
from benchmarks.simulation.peers.running_times import RunningTimes

from gunicorn_autotune.model.snapshot import Snapshot, WorkerReading, serving

WINDOW_SECONDS = 3.0
MAX_PERCENT, MIN_PERCENT = 50, 25
MULTIPLIER, PENALTY, STEP = 10, 2, 1
BACKLOG_ALERT, BACKLOG_MULTIPLIER, BACKLOG_STEP, BACKLOG_NONZERO_SECONDS = 33, 3, 1, 60.0
TOLERATED_WINDOWS = 3


class Busyness(Paced):
    """cheaper-algo = busyness."""

    def __init__(self) -> None:
        super().__init__()
        self.running = RunningTimes()
        self.multiplier, self.emergency, self.tolerated = MULTIPLIER, 0, 0
        self.next_cheap_at = WINDOW_SECONDS * MULTIPLIER
        self._checked_at = 0.0
        self._cheaped_at = float("-inf")
        self._cheaped_last = False
        self._nonzero_from: float | None = None
        self._before: dict[int, float] = {}
        self._seen_busy: Counter[int] = Counter()

    def observe(self, snapshot: Snapshot) -> None:
        """Keep the running time of each worker."""
        self.running.add(snapshot)

    def act(self, snapshot: Snapshot) -> int:
        """One cycle of the master."""
        workers = serving(snapshot)
        self._seen_busy.update(worker.pid for worker in workers if worker.in_flight)
        if snapshot.at - self._checked_at >= WINDOW_SECONDS:
            self._checked_at = snapshot.at
            return len(workers) + self._window_over(snapshot, workers)
        return len(workers) + self._backlog_check(snapshot, len(workers))

    def percent(self, worker: WorkerReading) -> int:
        """Busyness of one worker over the window that just ended."""
        gained = self.running.seconds.get(worker.pid, 0.0) - self._before.get(worker.pid, 0.0)
        if gained == 0.0 and self._seen_busy[worker.pid]:
            return 100
        return min(100, int(gained * 100.0 / WINDOW_SECONDS))

    def _window_over(self, snapshot: Snapshot, workers: tuple[WorkerReading, ...]) -> int:
        mean = sum(self.percent(worker) for worker in workers) // max(1, len(workers))
        self._before = dict(self.running.seconds)
        self._seen_busy.clear()
        if mean > MAX_PERCENT:
            return self._grow(snapshot.at, len(workers))
        if waiting(snapshot) > BACKLOG_ALERT and len(workers) < MAX_WORKERS:
            return self._emergency(snapshot.at, len(workers))
        if len(workers) == 1:
            return 0
        return self._shrink(snapshot.at, len(workers)) if mean < MIN_PERCENT else self._stay(snapshot.at)

    def _grow(self, at: float, count: int) -> int:
        self.tolerated = 0
        if count >= MAX_WORKERS:
            return 0
        self._cheaped_last = False
        if (at - self._cheaped_at) / WINDOW_SECONDS <= self.multiplier:
            self.multiplier += PENALTY
        else:
            self._relax()
        self._start_timer(at)
        return min(STEP, MAX_WORKERS - count)

    def _shrink(self, at: float, count: int) -> int:
        self.tolerated = 0
        if count <= MIN_WORKERS or at < self.next_cheap_at:
            return 0
        if self._cheaped_last:
            self._relax()
        self._start_timer(at)
        self._cheaped_at, self._cheaped_last = at, True
        self.emergency = max(0, self.emergency - 1)
        return -1

    def _stay(self, at: float) -> int:
        self.emergency = max(0, self.emergency - 1)
        self.tolerated += 1
        if self.tolerated >= TOLERATED_WINDOWS:
            self._start_timer(at)
        else:
            self.next_cheap_at += WINDOW_SECONDS
        return 0

    def _backlog_check(self, snapshot: Snapshot, count: int) -> int:
        backlog, at = waiting(snapshot), snapshot.at
        if backlog > BACKLOG_ALERT and count < MAX_WORKERS:
            return self._emergency(at, count)
        if backlog == 0:
            self._nonzero_from = None
        elif self._nonzero_from is None:
            self._nonzero_from = at
        elif at - self._nonzero_from >= BACKLOG_NONZERO_SECONDS:
            self._nonzero_from = at
            return self._emergency(at, count)
        return 0

    def _emergency(self, at: float, count: int) -> int:
        self.multiplier, self._cheaped_last = MULTIPLIER, False
        self._start_timer(at)  # before the new worker is counted, as the source does
        added = min(BACKLOG_STEP, MAX_WORKERS - count)
        self.emergency += added
        return added

    def _relax(self) -> None:
        self.multiplier = max(MULTIPLIER, self.multiplier - 1)

    def _start_timer(self, at: float) -> None:
        self.next_cheap_at = at + WINDOW_SECONDS * (BACKLOG_MULTIPLIER if self.emergency else self.multiplier)
