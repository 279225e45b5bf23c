"""Seconds of finished requests per worker, which uWSGI's workers count and simulated workers do not.

The sum over all workers is exact in every snapshot (`totals.service_seconds`), so is each worker's number of finished
requests. What a quarter of a second brought is dealt out: to a worker that ran one request through whole snapshots its
age (to a quarter of a second), the rest by the number of requests. Zero stays exactly zero.
"""

from __future__ import annotations

from gunicorn_autotune.model.snapshot import Snapshot, WorkerReading


class RunningTimes:
    """`seconds[pid]`, as uWSGI's `running_time`."""

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self._counted: dict[int, int] = {}
        self._fresh_at: dict[int, float] = {}
        """When a worker was last seen idle, or with a request finished since the snapshot before, or first seen."""
        self._total = 0.0
        self._at = 0.0

    def add(self, snapshot: Snapshot) -> None:
        """Deal out what was gained since the snapshot before."""
        gained, self._total = snapshot.totals.service_seconds - self._total, snapshot.totals.service_seconds
        tick, self._at = snapshot.at - self._at, snapshot.at
        long: dict[int, float] = {}
        short: dict[int, int] = {}
        for worker in snapshot.workers:
            finished = worker.requests - self._counted.get(worker.pid, 0)
            if finished:
                age = self._age(worker, tick)
                if age > 0.0:
                    long[worker.pid] = age
                short[worker.pid] = finished - (age > 0.0)
            self._note(worker, finished)
        self._deal(gained, long, short)

    def _age(self, worker: WorkerReading, tick: float) -> float:
        """Seconds the first request to finish had run, 0 when it began since the snapshot before."""
        return max(0.0, self._at - self._fresh_at.get(worker.pid, self._at) - tick)

    def _note(self, worker: WorkerReading, finished: int) -> None:
        self._counted[worker.pid] = worker.requests
        if finished or not worker.in_flight or worker.pid not in self._fresh_at:
            self._fresh_at[worker.pid] = self._at

    def _deal(self, gained: float, long: dict[int, float], short: dict[int, int]) -> None:
        aged, count = sum(long.values()), sum(short.values())
        scale = min(1.0, gained / aged) if aged and count else gained / aged if aged else 0.0
        each = max(0.0, gained - aged * scale) / count if count else 0.0
        for pid in short:
            share = long.get(pid, 0.0) * scale + short[pid] * each
            self.seconds[pid] = self.seconds.get(pid, 0.0) + max(share, 1e-9)
