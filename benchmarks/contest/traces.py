"""A workload as Locust sees it: so many users for so long, by Little's law. Knows nothing of Locust.

A user asks, waits for the answer, thinks, and asks again: a closed loop. A slow server is asked less often, so a queue
that would grow without end stands still at the number of users. What a closed loop shows as slow *is* slow; what it
shows as fast may not be. Verdicts come from the open loop (benchmarks/openloop).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.contest.workloads import WORKLOADS, Workload, shortened
from benchmarks.openloop import Phase, RefusedError

THINK_SECONDS = 1.0
"""Mean between an answer and the user's next request. Long beside the answers: 0.1 s more costs a tenth of the load."""
MAX_USERS = 5_000
DEFAULT_TRACE = "step"


@dataclass(frozen=True)
class Trace:
    """The users that ask for a workload's rates. RefusedError where they would be too many."""

    workload: Workload
    think_seconds: float = THINK_SECONDS
    cores: int = 1
    """Of the server; counts for the CPU-bound ones."""
    peak: float | None = None
    """The highest rate in requests/s, all others in proportion; None for the workload's own."""

    def __post_init__(self) -> None:
        """Refuse what one Locust process could not do anyway."""
        if self.users_most > MAX_USERS:
            raise RefusedError(f"trace = {self.workload.name}, {self.users_most} users, must be at most {MAX_USERS}")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What the users are to ask for, in requests/s."""
        offered = self.workload.offered(self.cores)
        factor = 1.0 if self.peak is None else self.peak / max(phase.rate for phase in offered)
        return tuple(Phase(phase.rate * factor, phase.seconds) for phase in offered)

    @property
    def service_seconds(self) -> float:
        """Mean of an answer that did not wait."""
        parts = self.workload.parts
        return sum(one.share * (one.cpu_seconds + one.wait_seconds) for one in parts) / sum(one.share for one in parts)

    @property
    def users_most(self) -> int:
        """In the busiest phase."""
        return max(self.users(phase.rate) for phase in self.phases)

    def users(self, rate: float) -> int:
        """Little's law: those being served and those thinking, rounded up. It holds while nobody queues."""
        # Rounded first: 150 x 1.101 is a hair above 165.15 or below, never worth a user.
        return math.ceil(round(rate * (self.service_seconds + self.think_seconds), 6))

    def tick(self, run_seconds: float) -> tuple[int, float] | None:
        """What a LoadTestShape answers: users, and users started or stopped in a second; None at the end."""
        ends = accumulate(phase.seconds for phase in self.phases)
        for phase, end in zip(self.phases, ends, strict=True):
            if run_seconds < end:
                # All at once: the trace says when the load changes, the spawning must not blur it.
                return self.users(phase.rate), float(max(1, self.users_most))
        return None


def varies(workload: Workload) -> bool:
    """Whether the load changes after it has risen (rising() takes steps of a second)."""
    return sum(phase.seconds > 1 for phase in workload.phases) > 1


def varying() -> list[str]:
    """The workloads whose trace has a shape of its own."""
    return [name for name, workload in WORKLOADS.items() if varies(workload)]


def workload_of(trace: str, own: str | None, short: bool) -> Workload:
    """What a shape plays: its own workload, or for the constant one (`own` is None) the told stationary one.

    A told one that varies is not for the constant shape; it plays `io` then.
    """
    name = own or (trace if not varies(WORKLOADS[trace]) else "io")
    return shortened(WORKLOADS[name]) if short else WORKLOADS[name]
