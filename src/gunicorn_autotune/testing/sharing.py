"""Processor sharing: all jobs advance at one rate, which depends on how many there are."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

FOREVER = float("inf")


class Sharing:
    """Jobs that share something; a job is over when the common progress reaches its mark (virtual time)."""

    def __init__(self, rate_of: Callable[[int], float]) -> None:
        self.rate_of = rate_of
        self.at = 0.0
        self.progress = 0.0
        self.rate = rate_of(0)
        self.next_at = FOREVER
        self.jobs: list[tuple[float, int, Any]] = []
        self._order = 0

    def advance(self, at: float) -> None:
        """Let time pass, to `next_at` at most."""
        self.progress += (at - self.at) * self.rate
        self.at = at

    def add(self, work: float, job: Any) -> None:
        """`work` seconds, alone on one core."""
        self._order += 1
        heappush(self.jobs, (self.progress + work, self._order, job))
        self.retime()

    def pop(self) -> Any:
        """The job that is over."""
        job = heappop(self.jobs)[2]
        self.retime()
        return job

    def drop(self, gone: Callable[[Any], bool]) -> None:
        """Forget jobs whose process was killed."""
        self.jobs = sorted(one for one in self.jobs if not gone(one[2]))
        self.retime()

    def retime(self) -> None:
        """After any change of the jobs or of `rate_of`."""
        self.rate = self.rate_of(len(self.jobs))
        if not self.jobs:
            self.next_at = FOREVER
        else:
            self.next_at = self.at + max(0.0, self.jobs[0][0] - self.progress) / self.rate
