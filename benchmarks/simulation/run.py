"""One workload under every controller: the figures of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from benchmarks.simulation.peers import BEST_STATIC, CONTENDERS, MAX_WORKERS
from benchmarks.simulation.peers.clairvoyant import needs
from benchmarks.simulation.peers.static import SWEEP, static
from benchmarks.simulation.workload import Workload

from gunicorn_autotune.testing import Outcome


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run came to. Shares run 0..1."""

    late: float
    """Waited over 100 ms for a worker, or dropped."""
    slow: float
    """Answered over 100 ms later than alone, or dropped."""
    p95_seconds: float
    p99_seconds: float
    throughput: float
    workers: float
    gb_seconds: float
    actions: float
    """Changes of the target per 10 min."""
    reversals: float
    """Changes of direction within 60 s, per 10 min."""
    under: float
    """Workers missing against the demand, in shares of it, mean over seconds (SPEC's accuracy, under)."""
    over: float
    """Workers too many against the demand, in shares of it (SPEC's accuracy, over)."""
    start: int
    """Workers it began with; the count itself for a static one."""


FIELDS = tuple(field.name for field in fields(Figures))


@dataclass(frozen=True, slots=True)
class Played:
    """One workload and what every controller made of it."""

    name: str
    seed: int
    about: str
    rows: dict[str, Figures]
    least_slow: float | None = None
    """Of the static sweep; None when it was not run."""
    best_throughput: float | None = None
    """Of the static sweep."""


def figures(outcome: Outcome, demand: Sequence[int], start: int) -> Figures:
    """The figures of one run against the workers each second needed."""
    per_ten_minutes = 600.0 / outcome.seconds
    under, over = supply(outcome, demand)
    return Figures(
        late=outcome.late_share,
        slow=outcome.slow_share,
        p95_seconds=outcome.p95_response_seconds,
        p99_seconds=outcome.p99_response_seconds,
        throughput=outcome.throughput,
        workers=outcome.mean_workers,
        gb_seconds=outcome.gb_seconds,
        actions=len(outcome.actions) * per_ten_minutes,
        reversals=outcome.reversals * per_ten_minutes,
        under=under,
        over=over,
        start=start,
    )


def supply(outcome: Outcome, demand: Sequence[int]) -> tuple[float, float]:
    """(under, over): ready workers missing and too many, in shares of the demand, mean over seconds."""
    if not outcome.history:
        return 0.0, 0.0
    off = [second.ready / need - 1.0 for second, need in zip(outcome.history, demand, strict=False)]
    return sum(-one for one in off if one < 0.0) / len(off), sum(one for one in off if one > 0.0) / len(off)


def play(workload: Workload, names: Sequence[str]) -> Played:
    """Serve the workload once for each controller, and for each static count when the best one is asked for."""
    demand = needs(workload)
    rows = {}
    for name in names:
        make = CONTENDERS[name].make
        if make is not None:
            controller, start = make(workload)
            rows[name] = figures(workload.run(controller, start), demand, start)
    if BEST_STATIC not in names:
        return Played(workload.name, workload.seed, workload.about, rows)
    swept = sweep(workload, demand, rows.get("static-64"))
    rows[BEST_STATIC] = min(swept, key=lambda one: (one.late, one.start))
    least, best = min(one.slow for one in swept), max(one.throughput for one in swept)
    return Played(workload.name, workload.seed, workload.about, rows, least, best)


def sweep(workload: Workload, demand: Sequence[int], largest: Figures | None = None) -> list[Figures]:
    """Every static count; ends at the first where nobody is late or slow, for more workers cannot do better."""
    found: list[Figures] = []
    for count in SWEEP:
        if count == MAX_WORKERS and largest is not None:
            found.append(largest)
        else:
            found.append(figures(workload.run(static(count), count), demand, count))
        if found[-1].late == 0.0 and found[-1].slow == 0.0:
            break
    return found


def plain(played: Played) -> dict[str, Any]:
    """As JSON holds it: figures in the order of FIELDS, five digits."""
    document: dict[str, Any] = {"name": played.name, "seed": played.seed, "about": played.about}
    document["rows"] = {name: [_short(value) for value in astuple(row)] for name, row in played.rows.items()}
    if played.least_slow is not None and played.best_throughput is not None:
        document["sweep"] = [_short(played.least_slow), _short(played.best_throughput)]
    return document


def from_plain(document: Mapping[str, Any]) -> Played:
    """The inverse of `plain`."""
    rows = {name: Figures(*values) for name, values in document["rows"].items()}
    least, best = document.get("sweep", (None, None))
    return Played(document["name"], document["seed"], document["about"], rows, least, best)


def _short(value: float) -> float:
    return float(f"{value:.5g}")
