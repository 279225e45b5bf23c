"""What the plots show of a document: chosen without matplotlib, so that the page knows which plots there are. Pure."""

from __future__ import annotations

from benchmarks.contest import roles
from benchmarks.contest.beside import LATE, MEMORY, values
from benchmarks.contest.intervals import mean_of
from benchmarks.contest.roles import PARTS, Found, Run


def drawn_runs(found: Found, workload: str) -> list[tuple[str, Run]]:
    """The first part of each contender, with its run of the seed that most of them have over time."""
    kept = [run for run in roles.valid(roles.runs_of(found, workload)) if run.get("series")]
    seeds = [run["seed"] for run in kept]
    seed = max(sorted(set(seeds)), key=seeds.count, default=0)
    by_name = {run["contender"]: run for run in kept if run["seed"] == seed}
    chosen: list[tuple[str, Run]] = []
    for part in PARTS:
        run = by_name.pop(roles.name_of(found, workload, part) or "", None)
        if run is not None:
            chosen.append((part, run))
    return chosen


def points(found: Found, workload: str) -> list[tuple[str, float, float]]:
    """Part, GB-seconds, late share in %; those of which both are known."""
    chosen = []
    for part in PARTS:
        memory, late = (mean_of(list(values(found, workload, part, one).values())).value for one in (MEMORY, LATE))
        if memory is not None and late is not None:
            chosen.append((part, memory, 100 * late))
    return chosen
