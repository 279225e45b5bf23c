"""Real against simulated: means over the seeds, the error between them, and whether it meets the goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

GOAL_SHARE = 0.15
"""Of the real figure."""
SMALL_SHARE = 0.02
GOAL_POINTS = 0.005
"""For shares of requests below SMALL_SHARE: 15 % of next to nothing is nothing to ask for."""
JUDGED = ("late_share", "mean_workers")
SHARES = ("late_share", "slow_share")


@dataclass(frozen=True)
class Compared:
    """One figure of one cell. A run without it (p95 that never came back) makes its mean None."""

    name: str
    real: float | None
    real_low: float | None
    real_high: float | None
    simulated: float | None

    @property
    def absolute(self) -> bool:
        """Whether the error is a difference in shares, as the share is small."""
        return self.name in SHARES and self.real is not None and self.real < SMALL_SHARE

    @property
    def error(self) -> float | None:
        """Simulated less real, over real unless `absolute`; None where there is nothing to compare."""
        if self.real is None or self.simulated is None:
            return None
        difference = self.simulated - self.real
        if self.absolute:
            return difference
        return difference / self.real if self.real else None

    @property
    def meets(self) -> bool | None:
        """Whether the error is within the goal; None for a figure without one."""
        if self.name not in JUDGED:
            return None
        return self.error is not None and abs(self.error) <= (GOAL_POINTS if self.absolute else GOAL_SHARE)

    @property
    def within_spread(self) -> bool:
        """Whether the simulated mean lies between the lowest and the highest real run."""
        if self.simulated is None or self.real_low is None or self.real_high is None:
            return False
        return self.real_low <= self.simulated <= self.real_high


def compared(
    name: str, real: Sequence[Mapping[str, float | None]], simulated: Sequence[Mapping[str, float | None]]
) -> Compared:
    """The figure `name` over all seeds."""
    measured, predicted = _values(name, real), _values(name, simulated)
    return Compared(
        name,
        fmean(measured) if measured else None,
        min(measured) if measured else None,
        max(measured) if measured else None,
        fmean(predicted) if predicted else None,
    )


def _values(name: str, runs: Sequence[Mapping[str, float | None]]) -> list[float]:
    values = [run[name] for run in runs]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []
