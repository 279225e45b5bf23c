"""What became of a simulated run: what users felt, what it cost, what the controller did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LATE_SECONDS = 0.1
"""A request is late when it waited longer than this for a worker, or was never served."""
REVERSAL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Second:
    """One second of the run, as a plot shows it; counts are of that second, the rest is its last moment."""

    at: float
    arrived: int
    finished: int
    late: int
    target: int
    ready: int
    waiting: int
    in_service: int
    memory_bytes: int


@dataclass(slots=True)
class Outcome:
    """Figures of one run. Shares run 0..1."""

    seconds: float = 0.0
    arrived: int = 0
    finished: int = 0
    dropped: int = 0
    """Refused by a full backlog, or lost with a killed worker."""
    oom_kills: int = 0
    failed_boots: int = 0
    boots: int = 0
    worker_seconds: float = 0.0
    gb_seconds: float = 0.0
    """Private and shared memory over time, in 10^9 byte seconds."""
    waits: list[tuple[float, float]] = field(default_factory=list)
    """(arrived at, seconds waited for a worker) of every request that was started."""
    responses: list[float] = field(default_factory=list)
    """Seconds from arrival to answer of every finished request."""
    excesses: list[float] = field(default_factory=list)
    """The same less what the request would have taken alone."""
    left_waiting: list[float] = field(default_factory=list)
    """Seconds waited by those not started at the end."""
    actions: list[tuple[float, int, int]] = field(default_factory=list)
    """(at, before, after) of every change of the target."""
    history: list[Second] = field(default_factory=list)

    @property
    def late_share(self) -> float:
        """Requests that waited over 0.1 s for a worker, or were dropped."""
        late = sum(1 for _, wait in self.waits if wait > LATE_SECONDS)
        left = sum(1 for wait in self.left_waiting if wait > LATE_SECONDS)
        return _share(late + left + self.dropped, len(self.waits) + left + self.dropped)

    @property
    def slow_share(self) -> float:
        """Requests answered more than 0.1 s later than alone on the machine, whatever held them up."""
        late = sum(1 for excess in self.excesses if excess > LATE_SECONDS)
        left = sum(1 for wait in self.left_waiting if wait > LATE_SECONDS)
        return _share(late + left + self.dropped, len(self.excesses) + left + self.dropped)

    @property
    def p95_response_seconds(self) -> float:
        """Of the finished ones and of those still waiting."""
        return percentile(self.responses + self.left_waiting, 0.95)

    @property
    def p99_response_seconds(self) -> float:
        """Of the finished ones and of those still waiting."""
        return percentile(self.responses + self.left_waiting, 0.99)

    @property
    def mean_workers(self) -> float:
        """Processes, booting and draining ones included."""
        return self.worker_seconds / self.seconds if self.seconds else 0.0

    @property
    def throughput(self) -> float:
        """Requests answered per second."""
        return self.finished / self.seconds if self.seconds else 0.0

    @property
    def reversals(self) -> int:
        """Changes of direction within 60 s."""
        pairs = zip(self.actions, self.actions[1:], strict=False)
        return sum(
            1 for one, two in pairs
            if two[0] - one[0] < REVERSAL_SECONDS and (one[2] > one[1]) != (two[2] > two[1])
        )  # fmt: skip

    def recovered_after(self, step_at: float, window_seconds: float = 60.0) -> float:
        """Seconds from `step_at` to the arrival of the last late request of the window; 0 when none was late."""
        waits = self.waits + [(self.seconds - wait, wait) for wait in self.left_waiting]
        late = [at for at, wait in waits if wait > LATE_SECONDS and 0.0 <= at - step_at <= window_seconds]
        return max(late, default=step_at) - step_at


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, 0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
