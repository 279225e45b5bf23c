"""What is run, and in which order: the sweeps first, then seed by seed, all contenders of a seed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.contest.contenders import GUNICORNS, Contender, rule_of_thumb, static, static_max
from benchmarks.contest.kept import SWEEP_SEED
from benchmarks.contest.peers import PEERS
from benchmarks.contest.workloads import Workload

START_AND_STOP_SECONDS = 4.0
TIE_SHARE = 0.005
"""Counts whose late shares differ by less are equal; the fewer workers win."""
ONE_SEED = ("granian", "passenger", "uwsgi-fast")
"""Peers shown beside the rest, no part of any goal: one seed each."""


@dataclass(frozen=True)
class Job:
    """One run to be made."""

    workload: Workload
    contender: Contender
    seed: int
    front: str = ""

    @property
    def seconds(self) -> float:
        """What it takes, about."""
        return self.workload.seconds + START_AND_STOP_SECONDS


def sweep_counts(workload: Workload, cores: int) -> list[int]:
    """Static counts that are tried, ascending."""
    return sorted({*workload.counts, rule_of_thumb(cores), static_max(workload)})


def sweep(workloads: Sequence[Workload], cores: int) -> Iterator[Job]:
    """The runs that find each workload's static oracle."""
    for workload in workloads:
        for count in sweep_counts(workload, cores):
            yield Job(workload, static(count), SWEEP_SEED)


def oracle(figures: Mapping[int, Mapping[str, Any]]) -> int:
    """The best static count by figures of the sweep: fewest late, then the lowest p95 by half, then fewest workers."""
    fewest_late = min(one["late_50_share"] for one in figures.values())
    good = [count for count, one in figures.items() if one["late_50_share"] <= fewest_late + TIE_SHARE]
    quickest = min(_p95(figures[count]) for count in good)
    return min(count for count in good if _p95(figures[count]) <= quickest * (1 + TIE_SHARE))


def _p95(figures: Mapping[str, Any]) -> float:
    found = figures["p95_seconds"]
    return float("inf") if found is None else float(found)


def contenders(workload: Workload, cores: int, best: int | None, seed: int) -> list[Contender]:
    """Who runs this workload with this seed, in an order drawn from it; the oracle once the sweep has found it."""
    counts = {rule_of_thumb(cores), *([best] if best else [])}
    if seed == 1 or workload.name == "day":
        counts.add(static_max(workload))
    peers = [one for one in PEERS if seed == 1 or one.name not in ONE_SEED]
    found = [*GUNICORNS, *(static(count) for count in sorted(counts)), *peers]
    Random(f"{workload.name} {seed} order").shuffle(found)
    return found


def rounds(workloads: Sequence[Workload], seeds: Sequence[int]) -> Iterator[tuple[int, Workload]]:
    """Seed by seed; a workload with fewer seeds sits the later ones out."""
    for seed in seeds:
        for workload in workloads:
            if seed <= workload.seeds:
                yield seed, workload
