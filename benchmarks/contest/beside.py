"""Adaptive beside a rival on one workload: better, even, worse, by the interval of the paired difference. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.contest import roles
from benchmarks.contest.cells import Form, milliseconds, per_cent, plain
from benchmarks.contest.contenders import ADAPTIVE
from benchmarks.contest.intervals import (
    BETTER,
    UNKNOWN,
    WORSE,
    Difference,
    Mean,
    Value,
    mean_of,
    paired,
    ratio_of_means,
)
from benchmarks.contest.roles import DIRECT, Found

TOLERANCE = 1.05
TURNED = {BETTER: WORSE, WORSE: BETTER}


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that is the better the less it is, or the more."""

    figure: str
    words: str
    form: Form
    unit: str
    change_unit: str
    more: bool = False


LATE = Measure("late_50_share", "late > 50 ms", per_cent, "%", "points")
VERY_LATE = Measure("late_250_share", "late > 250 ms", per_cent, "%", "points")
FAILED = Measure("failed_share", "failed", per_cent, "%", "points")
P95 = Measure("p95_seconds", "p95", milliseconds, "ms", "ms")
P99 = Measure("p99_seconds", "p99", milliseconds, "ms", "ms")
BACK = Measure("back_seconds", "time to capacity", plain, "s", "s")
THROUGHPUT = Measure("throughput", "throughput", plain, "requests/s", "requests/s", more=True)
MEMORY = Measure("gb_seconds", "memory", plain, "GB-s", "GB-s")
CPU = Measure("cpu_seconds_per_request", "CPU a request", milliseconds, "ms", "ms")
FELT = (LATE, VERY_LATE, FAILED, P95, P99, BACK)
JUDGED = (P95, LATE, VERY_LATE)
"""What the goals call p95 response and late share."""
SPENT = (MEMORY, CPU)


@dataclass(frozen=True, slots=True)
class Beside:
    """One measure, adaptive and a rival, over the seeds both have."""

    workload: str
    part: str
    measure: Measure
    mine: Mean
    theirs: Mean
    difference: Difference
    ratio: Value
    over: Difference
    """Mine less TOLERANCE times theirs; means something where less is better."""

    @property
    def word(self) -> str:
        """BETTER, EVEN, WORSE or UNKNOWN, for adaptive."""
        word = self.difference.word
        return TURNED.get(word, word) if self.measure.more else word

    @property
    def within(self) -> bool | None:
        """On average at most 5 % above theirs; None without a pair."""
        if not self.over.pairs:
            return None
        return self.over.mine_never <= self.over.theirs_never and (self.over.reached is None or self.over.reached <= 0)

    @property
    def noise(self) -> bool:
        """Above, but the interval of the difference includes the bound."""
        return self.within is False and self.over.word not in (WORSE, UNKNOWN)


def values(found: Found, workload: str, part: str, measure: Measure, front: str = DIRECT) -> dict[int, Value]:
    """By seed, valid runs only."""
    if measure is FAILED:
        return roles.failed_shares(found, workload, part, front)
    return roles.values(found, workload, part, measure.figure, front)


def beside(found: Found, workload: str, part: str, measure: Measure, front: str = DIRECT) -> Beside:
    """Paired by seed."""
    mine, theirs = (values(found, workload, one, measure, front) for one in (ADAPTIVE, part))
    common = [seed for seed in mine if seed in theirs]
    return Beside(
        workload, part, measure, mean_of([mine[seed] for seed in common]), mean_of([theirs[seed] for seed in common]),
        paired(mine, theirs), ratio_of_means(mine, theirs), paired(mine, theirs, TOLERANCE),
    )  # fmt: skip


def all_beside(found: Found, part: str, measures: Sequence[Measure]) -> Iterator[Beside]:
    """On every workload where both have a valid run of the same seed."""
    for workload in roles.workloads_of(found):
        for measure in measures:
            one = beside(found, workload, part, measure)
            if one.difference.pairs:
                yield one
