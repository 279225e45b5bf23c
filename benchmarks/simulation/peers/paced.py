"""What all peers have in common: the bounds, a period, and how much was busy and waiting over a window."""

from __future__ import annotations

from collections import deque

from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import Snapshot, WorkerState, serving

MIN_WORKERS = 2
MAX_WORKERS = 64


def within_bounds(count: int) -> int:
    """Every controller of the comparison, ours too, runs 2 to 64 workers."""
    return max(MIN_WORKERS, min(MAX_WORKERS, count))


class Paced:
    """A controller that sees every snapshot and acts once per period; in between it repeats its last wish."""

    period_seconds = 1.0

    def __init__(self) -> None:
        self.wish: int | None = None
        self._due_at = self.period_seconds

    def __call__(self, snapshot: Snapshot) -> int:
        """The worker count it wants, 2 to 64."""
        self.observe(snapshot)
        if snapshot.at >= self._due_at:
            self._due_at = snapshot.at + self.period_seconds
            self.wish = within_bounds(self.act(snapshot))
        return snapshot.target if self.wish is None else self.wish

    def observe(self, snapshot: Snapshot) -> None:
        """Called four times a second, before `act`; nothing by default."""

    def act(self, snapshot: Snapshot) -> int:
        """The count wanted now; clamped by the caller."""
        raise NotImplementedError


class Window:
    """Means over the last seconds, from integrals: busy slots, requests that wait, cores used by ready workers."""

    def __init__(self, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._marks: deque[tuple[float, float, float, float]] = deque()
        self._waiting_seconds = 0.0

    def add(self, snapshot: Snapshot) -> None:
        """One more snapshot; older ones than the window are forgotten."""
        marks, at, totals = self._marks, snapshot.at, snapshot.totals
        if marks:
            self._waiting_seconds += waiting(snapshot) * (at - marks[-1][0])
        marks.append((at, known(totals.busy_seconds, 0.0), self._waiting_seconds, known(totals.cpu_seconds, 0.0)))
        while len(marks) > 2 and marks[1][0] <= at - self._keep_seconds:
            marks.popleft()

    def busy(self, seconds: float) -> float:
        """Mean requests in service."""
        return self._mean(1, seconds)

    def waiting(self, seconds: float) -> float:
        """Mean requests waiting for a worker."""
        return self._mean(2, seconds)

    def cores(self, seconds: float) -> float:
        """Mean cores used by ready workers."""
        return self._mean(3, seconds)

    def _mean(self, column: int, seconds: float) -> float:
        marks = self._marks
        if len(marks) < 2:
            return 0.0
        last = marks[-1]
        first = next(mark for mark in marks if mark[0] >= last[0] - seconds)
        passed = last[0] - first[0]
        return (last[column] - first[column]) / passed if passed > 0.0 else 0.0


def waiting(snapshot: Snapshot) -> int:
    """Connections in the listen queue."""
    return sum(known(listener.backlog, 0) for listener in snapshot.listeners)


def idle_or_starting(snapshot: Snapshot) -> int:
    """Workers that serve nobody: idle ones, and those that still boot."""
    quiet = (WorkerState.IDLE, WorkerState.BOOTING)
    return sum(1 for worker in snapshot.workers if worker.state in quiet)


def ready(snapshot: Snapshot) -> int:
    """Workers that can serve."""
    return sum(1 for worker in serving(snapshot) if worker.state is not WorkerState.BOOTING)


def booting(snapshot: Snapshot) -> int:
    """Workers on their way."""
    return sum(1 for worker in snapshot.workers if worker.state is WorkerState.BOOTING)
