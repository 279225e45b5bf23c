"""Tables of docs/benchmarks.md beside the main ones: one pair only, nginx, Locust, what was spoilt. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from benchmarks.contest import roles
from benchmarks.contest.beside import BACK, JUDGED, LATE, MEMORY, P95, VERY_LATE, Beside, beside, values
from benchmarks.contest.cells import change, milliseconds, plain, times, told
from benchmarks.contest.intervals import mean_of
from benchmarks.contest.page_tables import counted, failed
from benchmarks.contest.roles import DIRECT, ORACLE, RIVALS, Found, Run
from benchmarks.simulation.page_tables import table

ONCE = (LATE, VERY_LATE, P95, BACK, MEMORY)


def beside_oracle(found: Found) -> list[str]:
    """The first goals, workload by workload: how much above the oracle, with the interval; bold is over."""
    rows = []
    for workload in roles.workloads_of(found):
        ones = [beside(found, workload, ORACLE, measure) for measure in JUDGED]
        if ones[0].difference.pairs:
            name = roles.name_of(found, workload, ORACLE) or ""
            rows.append((workload, name, str(ones[0].difference.pairs), times(ones[0].ratio), *map(_above, ones)))
    heads = (f"{one.words}, {one.change_unit}" for one in JUDGED)
    return table(("workload", "oracle", "n", "p95 ratio", *heads), rows) if rows else []


def _above(one: Beside) -> str:
    text = change(one.difference, one.measure.form)
    return text if one.within is not False else f"**{text}**" + (" noise" if one.noise else "")


def once(found: Found) -> list[str]:
    """Rivals with one pair on a workload, better or worse: adaptive's figure and theirs, no verdict."""
    rows = []
    for workload in roles.workloads_of(found):
        for part in RIVALS:
            ones = [beside(found, workload, part, measure) for measure in ONCE]
            if ones[0].difference.pairs == 1:
                cells = (
                    f"{told(one.mine, one.measure.form)} / {told(one.theirs, one.measure.form)}"
                    if one.difference.pairs else "" for one in ones
                )  # fmt: skip
                rows.append((workload, roles.NAMES[part], *cells))
    return table(("workload", "beside", *(f"{one.words}, {one.unit}" for one in ONCE)), rows) if rows else []


def closed(found: Found) -> list[str]:
    """Locust's figures, means over seeds."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in found["closed"]:
        groups.setdefault((run["workload"], run["contender"]), []).append(run)
    rows = []
    for (workload, name), runs in groups.items():
        tails = [told(mean_of([run.get(f"p{rank}_seconds") for run in runs]), milliseconds) for rank in (50, 95, 99)]
        lost, asked = (sum(run[key] for run in runs) for key in ("failed", "requests"))
        rate = told(mean_of([run["requests_per_second"] for run in runs]), plain)
        users = max(run["users_most"] for run in runs)
        rows.append((workload, roles.title(found, workload, name), str(users), rate, *tails,
                     f"{lost:,} of {asked:,}", str(len(runs))))  # fmt: skip
    heads = ("workload", "contender", "users at most", "requests/s", "p50, ms", "p95, ms", "p99, ms", "failed", "runs")
    return table(heads, rows)


def _everyone(found: Found, workload: str) -> list[str]:
    return list(
        dict.fromkeys(name for front in (DIRECT, *roles.FRONTS) for name in roles.rows_of(found, workload, front))
    )


def fronted(found: Found, workload: str) -> list[str]:
    """Both kinds of upstream beside the direct runs: who, over what, and how soon it is back."""
    rows = []
    behind = {name for front in roles.FRONTS for name in roles.rows_of(found, workload, front)}
    for name in (name for name in _everyone(found, workload) if name in behind):
        for front, words in ((DIRECT, "direct"), *roles.FRONTS.items()):
            runs = roles.runs_of(found, workload, name, front)
            if not runs:
                continue
            good = roles.valid(runs)
            cells = [told(mean_of(list(values(found, workload, name, one, front).values())), one.form)
                     for one in (BACK, LATE, VERY_LATE)]  # fmt: skip
            p95 = told(mean_of(list(values(found, workload, name, P95, front).values())), milliseconds)
            rows.append((roles.title(found, workload, name), words, *cells, failed(good), p95, counted(good, runs)))
    heads = ("contender", "front", "to capacity, s", "late > 50, %", "late > 250, %", "failed, %", "p95, ms", "runs")
    return table(heads, rows)


def spoilt(found: Found) -> list[Run]:
    """Every try that does not count, those that a later one replaced too."""
    kept: list[Run] = found["spoilt"] if "spoilt" in found else [run for run in found["runs"] if not run["valid"]]
    return kept


def invalid(runs: Sequence[Run]) -> list[str]:
    """How many, of whom, and why; numbers are taken out of the reasons, so that like ones count together."""
    counts = Counter((_where(run), run["contender"], re.sub(r"\d+(\.\d+)?", "N", run["why"], count=1)) for run in runs)
    rows = ((where, name, why, str(number)) for (where, name, why), number in sorted(counts.items()))
    return table(("workload", "contender", "why", "tries"), rows)


def _where(run: Run) -> str:
    front = run.get("front", DIRECT)
    return f"{run['workload']} ({roles.FRONTS.get(front, front)})" if front else str(run["workload"])


def swept(counts: Sequence[object]) -> str:
    """`8: 3.10 %, 16: 0.20 %`, or the counts alone where nothing else is kept."""
    return ", ".join(_count(one) for one in counts)


def _count(one: object) -> str:
    if not isinstance(one, dict):
        return str(one)
    p95 = "never" if one["p95_seconds"] is None else f"{milliseconds(one['p95_seconds'])} ms"
    return f"{one['contender'].removeprefix('static-')} ({LATE.form(one['late_50_share'])} %, {p95})"
