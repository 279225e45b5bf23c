"""What the project set itself, and whether a set of runs meets it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.simulation.peers import OURS
from benchmarks.simulation.run import Played
from benchmarks.simulation.tally import Summary, throughput_share

EXCESS, P95_RATIO, ACTIONS, THROUGHPUT = 0.05, 1.05, 14.0, 0.97
DEGRADING = "db-degrades"
PROTOTYPE = "an earlier prototype of this law, on 60 workloads of its own: 8.1 (Apache 13.8, uWSGI 19.4, KPA 35.0)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal beside its figure."""

    what: str
    goal: str
    figure: str
    met: bool
    note: str = ""

    @property
    def told(self) -> str:
        """In words."""
        return "meets goal" if self.met else "misses goal"


def of_set(summaries: dict[str, Summary]) -> list[Verdict]:
    """The goals on a random set."""
    ours = summaries.get(OURS)
    if ours is None:
        return []
    excess, ratio = ours.excess_late.value, ours.p95_ratio
    slow = f"by the whole answer (slow) {ours.excess_slow.value * 100:.1f}"
    return [
        Verdict("mean excess of late requests, points", f"<= {EXCESS * 100:g}", f"{excess * 100:.1f}",
                excess <= EXCESS, f"{slow}; {PROTOTYPE}"),
        Verdict("median p95 response / best controller's", f"<= {P95_RATIO:g}", f"{ratio:.3f}", ratio <= P95_RATIO),
        Verdict("actions per 10 min", f"<= {ACTIONS:g}", f"{ours.actions:.1f}", ours.actions <= ACTIONS),
    ]  # fmt: skip


def of_named(plays: Sequence[Played]) -> list[Verdict]:
    """The goal on the database that slows down."""
    degrading = [one for one in plays if one.name == DEGRADING and OURS in one.rows]
    reached = throughput_share(degrading) if degrading else None
    if reached is None:
        return []
    what = "throughput on the degrading database / best static count's"
    return [Verdict(what, f">= {THROUGHPUT:g}", f"{reached:.3f}", reached >= THROUGHPUT)]
