"""Means over runs with a 95 % Student t interval, and differences paired by seed. Pure.

A figure that was never reached is None. It is no number and no mean is taken over it: it counts as worse than any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

Value = float | None
T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom (any textbook's table)."""
T_MORE = 2.040
"""For more than 30: the value for 31, a little too wide."""
SIGNS = 6
BETTER, EVEN, WORSE, UNKNOWN = "better", "even", "worse", "unknown"


@dataclass(frozen=True, slots=True)
class Mean:
    """Of `runs` runs; in `never` of them the figure was not reached, and there is no value then."""

    runs: int
    value: Value = None
    half: Value = None
    """Half of the interval; None when one run, or none, tells nothing about chance."""
    never: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Mine less theirs over the seeds that both have; less is better."""

    pairs: int
    value: Value = None
    half: Value = None
    mine_never: int = 0
    theirs_never: int = 0
    mine_alone: int = 0
    """Pairs in which mine was never reached, and theirs was."""
    theirs_alone: int = 0
    reached: Value = None
    """Mean of the pairs in which both were reached."""

    @property
    def word(self) -> str:
        """WORSE or BETTER when the whole interval says so, else EVEN; UNKNOWN below two pairs.

        With figures that were never reached: when in SIGNS pairs, or in all of fewer, one side alone got there and the
        other side never did so (a sign test at 95 % needs six).
        """
        if self.pairs < 2:
            return UNKNOWN
        if self.value is None or self.half is None:
            enough = min(SIGNS, self.pairs)
            if self.mine_alone >= enough and not self.theirs_alone:
                return WORSE
            return BETTER if self.theirs_alone >= enough and not self.mine_alone else EVEN
        if self.value - self.half > 0:
            return WORSE
        return BETTER if self.value + self.half < 0 else EVEN


def t_95(freedom: int) -> float:
    """The quantile for so many degrees of freedom, one or more."""
    return T_95[freedom - 1] if freedom <= len(T_95) else T_MORE


def half_width(values: Sequence[float]) -> Value:
    """Of the interval of the mean of independent runs; None below two."""
    if len(values) < 2:
        return None
    return t_95(len(values) - 1) * stdev(values) / sqrt(len(values))


def mean_of(values: Sequence[Value]) -> Mean:
    """With its interval; no value when there is no run, or one that never reached it."""
    reached = [one for one in values if one is not None]
    never = len(values) - len(reached)
    if never or not reached:
        return Mean(len(values), never=never)
    return Mean(len(values), mean(reached), half_width(reached))


def paired(mine: Mapping[int, Value], theirs: Mapping[int, Value], factor: float = 1.0) -> Difference:
    """Mine less `factor` times theirs, seed by seed; a seed that only one of them has is left out."""
    pairs = [(mine[seed], theirs[seed]) for seed in mine if seed in theirs]
    differences = [a - factor * b for a, b in pairs if a is not None and b is not None]
    reached = mean(differences) if differences else None
    if len(differences) < len(pairs) or not pairs:
        sides = [(a is None, b is None) for a, b in pairs]
        return Difference(
            len(pairs), None, None, sum(a for a, _ in sides), sum(b for _, b in sides), sides.count((True, False)),
            sides.count((False, True)), reached,
        )  # fmt: skip
    return Difference(len(pairs), reached, half_width(differences), reached=reached)


def ratio_of_means(mine: Mapping[int, Value], theirs: Mapping[int, Value]) -> Value:
    """Over the seeds that both have; None when one was never reached, or theirs are all 0."""
    seeds = [seed for seed in mine if seed in theirs]
    ours, others = mean_of([mine[seed] for seed in seeds]), mean_of([theirs[seed] for seed in seeds])
    if ours.value is None or not others.value:
        return None
    return ours.value / others.value
