"""What many runs say together: excess, confidence, wins and losses. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean, median

from benchmarks.simulation.peers import BEST_STATIC, OURS, PEERS
from benchmarks.simulation.run import Figures, Played

LATE, SLOW = "late", "slow"
RESAMPLES = 2000
INSTALLABLE = (OURS, *PEERS)
MARGIN = 0.01
"""A difference of less than a point is a draw."""
VISIBLE = 0.0005
"""Less than half a tenth of a point is 0.0 on the page."""
NO_WAIT_SECONDS = 1e-3
"""A p95 below this counts as this in a ratio."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % bootstrap confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One controller over a set of workloads. Shares run 0..1."""

    late: Mean
    slow: Mean
    excess_late: Mean
    excess_slow: Mean
    excess_late_p90: float
    excess_slow_p90: float
    peers_late: float | None
    """Mean late share above the best of those one could install, ours among them; None for a yardstick."""
    peers_slow: float | None
    workers: float
    gb_seconds: Mean
    actions: float
    reversals: float
    p95_ratio: float
    """Median of the p95 response over the best controller's."""
    under: float
    over: float


def share(row: Figures, kind: str) -> float:
    """Its late or slow share."""
    return row.late if kind == LATE else row.slow


def least(played: Played, kind: str) -> float:
    """The least share any controller got; of every static count of the sweep, too."""
    found = min(share(row, kind) for row in played.rows.values())
    return found if kind == LATE or played.least_slow is None else min(found, played.least_slow)


def excess(played: Played, name: str, kind: str) -> float:
    """Its share above the least."""
    return share(played.rows[name], kind) - least(played, kind)


def peers_excess(played: Played, name: str, kind: str) -> float:
    """Its share above the least of ours and of the peers one could install."""
    found = [share(row, kind) for other, row in played.rows.items() if other in INSTALLABLE]
    return share(played.rows[name], kind) - min(found)


def p95_ratio(played: Played, name: str) -> float:
    """Its p95 response over the best one's."""
    best = min(row.p95_seconds for row in played.rows.values())
    return played.rows[name].p95_seconds / max(best, NO_WAIT_SECONDS)


def summary(plays: Sequence[Played], name: str) -> Summary:
    """One controller over all of `plays`."""

    def over(value: Callable[[Played], float]) -> list[float]:
        return [value(one) for one in plays]

    late, slow = over(lambda one: excess(one, name, LATE)), over(lambda one: excess(one, name, SLOW))
    rows = [one.rows[name] for one in plays]
    return Summary(
        late=interval([row.late for row in rows]),
        slow=interval([row.slow for row in rows]),
        excess_late=interval(late),
        excess_slow=interval(slow),
        excess_late_p90=percentile(late, 0.9),
        excess_slow_p90=percentile(slow, 0.9),
        peers_late=_above_peers(plays, name, LATE),
        peers_slow=_above_peers(plays, name, SLOW),
        workers=mean(row.workers for row in rows),
        gb_seconds=interval([row.gb_seconds for row in rows]),
        actions=mean(row.actions for row in rows),
        reversals=mean(row.reversals for row in rows),
        p95_ratio=median(over(lambda one: p95_ratio(one, name))),
        under=mean(row.under for row in rows),
        over=mean(row.over for row in rows),
    )


def _above_peers(plays: Sequence[Played], name: str, kind: str) -> float | None:
    return mean(peers_excess(one, name, kind) for one in plays) if name in INSTALLABLE else None


def interval(values: Sequence[float], resamples: int = RESAMPLES) -> Mean:
    """Mean and its 95 % bootstrap interval; the same resamples for every controller, so differences are paired."""
    random, count = Random(1), len(values)
    means = sorted(sum(random.choices(values, k=count)) / count for _ in range(resamples))
    return Mean(mean(values), means[int(0.025 * resamples)], means[int(0.975 * resamples)])


def percentile(values: Sequence[float], part: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def wins(plays: Sequence[Played], peer: str, kind: str) -> tuple[int, int]:
    """(workloads where ours is better than `peer`, where it is worse), by more than a point."""
    gaps = [share(one.rows[peer], kind) - share(one.rows[OURS], kind) for one in plays]
    return sum(gap > MARGIN for gap in gaps), sum(gap < -MARGIN for gap in gaps)


def saved(plays: Sequence[Played], peer: str, kind: str) -> Mean:
    """The share of `peer` less ours, mean of the pairs; above 0 ours is better."""
    return interval([share(one.rows[peer], kind) - share(one.rows[OURS], kind) for one in plays])


Excess = Callable[[Played, str, str], float]


def worst(plays: Sequence[Played], kind: str, by: Excess = excess, count: int = 10) -> list[Played]:
    """Where ours loses most, the worst first; `by` is `excess` or `peers_excess`."""
    losing = [one for one in plays if by(one, OURS, kind) > VISIBLE]
    return sorted(losing, key=lambda one: -by(one, OURS, kind))[:count]


def best(played: Played, kind: str, by: Excess = excess) -> str:
    """Who got the least share; an installable one where several did."""
    order = [name for name in played.rows if name in PEERS]
    if by is excess:
        order += list(played.rows)
    return min(order, key=lambda name: share(played.rows[name], kind))


def throughput_share(plays: Sequence[Played]) -> float | None:
    """Ours against the best static count, mean; None without a sweep."""
    known = [one.rows[OURS].throughput / one.best_throughput for one in plays if one.best_throughput]
    return mean(known) if known and BEST_STATIC in plays[0].rows else None
