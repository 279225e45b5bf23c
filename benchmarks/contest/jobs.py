"""What is run, and in which order: the sweeps first, then seed by seed, all contenders of a seed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.contest.contenders import (
    ADAPTIVE,
    GUNICORNS,
    MAX_REQUESTS,
    THREADED,
    UWSGI,
    Contender,
    rule_of_thumb,
    static,
    static_max,
)
from benchmarks.contest.fronted import FRONTED, Fronted
from benchmarks.contest.kept import SWEEP_SEED
from benchmarks.contest.peers import PEERS, UWSGI_RSS
from benchmarks.contest.workloads import FIRST_SEED, Workload, for_sweep

START_AND_STOP_SECONDS = 4.0
LATE_TIE, P95_TIE, THROUGHPUT_TIE = 0.001, 0.02, 0.01
"""Of all requests, of the lowest p95, of the highest throughput: counts that differ by less are equal."""
LOCUST = "locust"
BY_THROUGHPUT = ("full", "pool")
"""Workloads that ask for more than there is: nearly all is late, and the best count is the one that answers most."""
FRONTED_WORKLOADS, FRONTED_SEEDS = ("step",), 3
CLOSED_WORKLOADS = ("step", "flash")
BESIDE = ("granian", "passenger", "uwsgi-fast")
BESIDE_WORKLOADS = ("step", "io", "mixed")
ONE_SEED = ("passenger", "uwsgi-fast")
"""Peers shown beside the rest, no part of any goal, run these; some with one seed."""


@dataclass(frozen=True)
class Job:
    """One run to be made."""

    workload: Workload
    contender: Contender
    seed: int
    fronted: Fronted | None = None
    closed: bool = False
    """By Locust, instead of the open loop."""

    @property
    def front(self) -> str:
        """What stands between the generator and the server, or LOCUST, which takes the generator's place."""
        return LOCUST if self.closed else self.fronted.way if self.fronted else ""

    @property
    def seconds(self) -> float:
        """What it takes, about."""
        return self.workload.seconds + START_AND_STOP_SECONDS


def sweep_counts(workload: Workload, cores: int) -> list[int]:
    """Static counts that are tried, ascending."""
    factor = cores if workload.per_core else 1
    return sorted({*(count * factor for count in workload.counts), static_max(workload)})


def sweep(workloads: Sequence[Workload], cores: int) -> Iterator[Job]:
    """The runs that find each workload's static oracle."""
    for workload in workloads:
        for count in sweep_counts(workload, cores):
            yield Job(for_sweep(workload), static(count), SWEEP_SEED)


def oracle(workload: Workload, figures: Mapping[int, Mapping[str, Any]]) -> int:
    """The best static count by figures of the sweep, for what the workload is about; fewer workers win a tie."""
    return most_answered(figures) if workload.name in BY_THROUGHPUT else least_late(figures)


def least_late(figures: Mapping[int, Mapping[str, Any]]) -> int:
    """Fewest late, then the lowest p95, then fewest workers."""
    fewest_late = min(one["late_50_share"] for one in figures.values())
    good = [count for count, one in figures.items() if one["late_50_share"] <= fewest_late + LATE_TIE]
    quickest = min(_p95(figures[count]) for count in good)
    return min(count for count in good if _p95(figures[count]) <= quickest * (1 + P95_TIE))


def _p95(figures: Mapping[str, Any]) -> float:
    found = figures["p95_seconds"]
    return float("inf") if found is None else float(found)


def most_answered(figures: Mapping[int, Mapping[str, Any]]) -> int:
    """The highest throughput, then fewest workers."""
    most = max(one["throughput"] for one in figures.values())
    return min(count for count, one in figures.items() if one["throughput"] >= most * (1 - THROUGHPUT_TIE))


def contenders(workload: Workload, cores: int, best: int | None, seed: int) -> list[Contender]:
    """Who runs this workload with this seed, in an order drawn from it; the oracle once the sweep has found it."""
    counts = {rule_of_thumb(cores), *([best] if best else [])}
    if seed == FIRST_SEED or workload.name == "day":
        counts.add(static_max(workload))
    leaking = [MAX_REQUESTS, UWSGI_RSS] if workload.leak_bytes else []
    peers = [one for one in PEERS if _runs(one, workload, seed)]
    found = [*GUNICORNS, *(static(count) for count in sorted(counts)), *peers, *leaking]
    Random(f"{workload.name} {seed} order").shuffle(found)
    return found


def _runs(peer: Contender, workload: Workload, seed: int) -> bool:
    if peer.name in BESIDE and workload.name not in BESIDE_WORKLOADS:
        return False
    return seed == FIRST_SEED or peer.name not in ONE_SEED


def behind_nginx(workloads: Sequence[Workload], seed: int) -> Iterator[Job]:
    """Where it matters most: kept connections hide new workers after a step."""
    for workload in workloads:
        if workload.name in FRONTED_WORKLOADS and seed < FIRST_SEED + FRONTED_SEEDS:
            found = list(FRONTED)
            Random(f"{workload.name} {seed} fronts").shuffle(found)
            yield from (Job(workload, one.contender, seed, one) for one in found)


def by_locust(workloads: Sequence[Workload], cores: int, seed: int) -> Iterator[Job]:
    """The closed loop of a few, one seed."""
    names = (ADAPTIVE, THREADED, UWSGI)
    found = [*(one for one in (*GUNICORNS, *PEERS) if one.name in names), static(rule_of_thumb(cores))]
    for workload in workloads:
        if workload.name in CLOSED_WORKLOADS and seed == FIRST_SEED:
            yield from (Job(workload, one, seed, closed=True) for one in found)
