"""What was asked of adaptive before it was measured, and whether the runs show it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contest import roles
from benchmarks.contest.beside import (
    JUDGED,
    LATE,
    MEMORY,
    THROUGHPUT,
    TOLERANCE,
    Beside,
    Measure,
    all_beside,
    beside,
)
from benchmarks.contest.cells import NONE, change, count, per_cent, plain, times, told
from benchmarks.contest.contenders import ADAPTIVE, THREADED, UWSGI
from benchmarks.contest.intervals import UNKNOWN, WORSE, mean_of
from benchmarks.contest.roles import MOST, ORACLE, RULE, Found
from benchmarks.contest.workloads import WORKLOADS
from benchmarks.faults.goals import Verdict

from gunicorn_autotune.model.policy import Policy, with_automatic_max

LATER_SHARE = 0.005
"""Few runs have wide intervals: the mean must not be more than that above the maximum's either."""
BACK_SECONDS, MEMORY_SHARE, FULL_SHARE, POOL_SHARE = 1.5, 0.5, 0.99, 0.97
STEP, DAY, FULL, POOL = "step", "day", "full", "pool"
STILL_SHARE = 1 / 3
"""Of the run, at its end, in which the count must reach no new height to have stopped growing."""


@dataclass(frozen=True)
class Judged(Verdict):
    """With the workloads that decided it."""

    note: str = ""


def verdicts(found: Found) -> list[Judged]:
    """In the order in which they were asked."""
    near = [of_oracle(found, measure) for measure in JUDGED]
    never = [of_rival(found, RULE), of_rival(found, THREADED)]
    return [*near, *never, of_step(found), of_day(found), of_full(found), *of_pool(found)]


def of_oracle(found: Found, measure: Measure) -> Judged:
    """Within 5 % of the best static count on every workload."""
    seen = list(all_beside(found, ORACLE, [measure]))
    over = [one for one in seen if one.within is False]
    figure = f"within on {len(seen) - len(over)} of {count(len(seen), 'workload')} measured" if seen else NONE
    noise = [one for one in over if one.noise]
    return Judged(
        f"{measure.words}, beside the static oracle", f"<= {TOLERANCE:g} x on every workload", figure,
        _every(seen, over), f"{len(over)} over, {len(noise)} of them within noise" if over else NONE,
    )  # fmt: skip


def _apart(one: Beside) -> str:
    """By how much, of how many pairs."""
    return f"{change(one.difference, one.measure.form, one.measure.change_unit)}, {_n(one.difference.pairs)}"


def _every(seen: Sequence[Beside], bad: Sequence[Beside]) -> bool | None:
    """One miss is a miss; met only when every workload was measured."""
    if bad:
        return False
    return True if {one.workload for one in seen} >= set(WORKLOADS) else None


def of_rival(found: Found, part: str) -> Judged:
    """Never worse by more than noise: no interval of a paired difference lies on the wrong side."""
    seen = [one for one in all_beside(found, part, JUDGED) if one.word != UNKNOWN]
    worse = [one for one in seen if one.word == WORSE]
    of = len({one.workload for one in seen})
    figure = f"worse on {len({one.workload for one in worse})} of {count(of, 'workload')} measured" if seen else NONE
    lost = "; ".join(f"{one.workload}, {one.measure.words}: {_apart(one)}" for one in worse)
    what = f"p95 and late shares, beside {roles.NAMES[part]}"
    return Judged(what, "nowhere worse by more than noise", figure, _every(seen, worse), note=lost)


def of_step(found: Found) -> Judged:
    """Every run counts: a run that never got back is a miss."""
    back = mean_of(list(roles.values(found, STEP, ADAPTIVE, "back_seconds").values()))
    theirs = mean_of(list(roles.values(found, STEP, UWSGI, "back_seconds").values()))
    met = None if not back.runs else back.value is not None and back.value <= BACK_SECONDS
    return Judged(
        f"time to capacity after the I/O step ({STEP}), s", f"<= {BACK_SECONDS:g}",
        f"{told(back, plain)}, {_n(back.runs)}", met, f"uWSGI {told(theirs, plain)}, {_n(theirs.runs)}",
    )  # fmt: skip


def of_day(found: Found) -> Judged:
    """Half the memory of the static maximum, and no more requests late, by noise or by half a point."""
    memory, late = beside(found, DAY, MOST, MEMORY), beside(found, DAY, MOST, LATE)
    met = None
    if memory.ratio is not None and late.word != UNKNOWN:
        met = memory.ratio <= MEMORY_SHARE and late.word != WORSE and (late.difference.value or 0.0) <= LATER_SHARE
    later = f"late > 50 ms: {change(late.difference, per_cent, 'points')}"
    return Judged(
        f"GB-seconds over the day, beside the static maximum ({DAY})", f"<= {MEMORY_SHARE:g} x, late share not worse",
        f"{times(memory.ratio)}, {_n(memory.difference.pairs)}", met, later,
    )  # fmt: skip


def of_full(found: Found) -> Judged:
    """All that the cores give."""
    one = beside(found, FULL, ORACLE, THROUGHPUT)
    return Judged(
        f"throughput at 100 % CPU, beside the static oracle ({FULL})", f">= {FULL_SHARE:g} x",
        f"{times(one.ratio)}, {_n(one.difference.pairs)}", _at_least(one, FULL_SHARE), _more(one),
    )  # fmt: skip


def of_pool(found: Found) -> list[Judged]:
    """The verdict is said, growth ends, and throughput stays."""
    said = list(roles.values(found, POOL, ADAPTIVE, "downstream").values())
    one = beside(found, POOL, best_static(found, POOL), THROUGHPUT)
    runs = roles.valid(roles.runs_of(found, POOL, ADAPTIVE))
    most, ceiling = max((run["figures"]["most_workers"] for run in runs), default=0), highest(found)
    still = [stopped(run["series"]) and run["figures"]["most_workers"] < ceiling for run in runs if run.get("series")]
    return [
        Judged(f"`downstream` is said of the database pool ({POOL})", "in every run",
               _in(said), all(said) if said else None),
        Judged(f"stops growing ({POOL})", "no new height in the last third, below its own maximum",
               f"{_in(still)} (with a record over time)", all(still) and most < ceiling if still else None,
               f"at most {most} workers of {ceiling}" if runs else NONE),
        Judged(f"throughput, beside the best static ({POOL})", f">= {POOL_SHARE:g} x",
               f"{times(one.ratio)}, {_n(one.difference.pairs)}", _at_least(one, POOL_SHARE), _more(one)),
    ]  # fmt: skip


def best_static(found: Found, workload: str) -> str:
    """The static count with the highest mean throughput of those with the most runs; the oracle has the fewest late."""
    names = [name for name in roles.rows_of(found, workload) if name.startswith("static-")]
    means = {name: mean_of(list(roles.values(found, workload, name, "throughput").values())) for name in names}
    # A count that ran with few seeds had other requests: its mean is no match for the others'.
    most = max((one.runs for one in means.values()), default=0)
    reached = {name: one.value for name, one in means.items() if one.runs == most and one.value is not None}
    return max(reached, key=lambda name: reached[name]) if reached else ORACLE


def highest(found: Found) -> int:
    """What autotune's own default allows on so many cores: a count held there by it has not stopped."""
    return with_automatic_max(Policy(), roles.cores(found), WORKLOADS[POOL].memory_limit_bytes).max_workers


def stopped(series: Found) -> bool:
    """The highest count of the last third was there before."""
    until = series["seconds"] * (1 - STILL_SHARE)
    before = [count for at, count in series["workers"] if at <= until]
    after = [count for at, count in series["workers"] if at > until]
    return not after or (bool(before) and max(after) <= max(before))


def _at_least(one: Beside, share: float) -> bool | None:
    return None if one.ratio is None else one.ratio >= share


def _more(one: Beside) -> str:
    if one.mine.value is None or one.theirs.value is None:
        return NONE
    away = change(one.difference, plain, one.measure.change_unit)
    return f"{plain(one.mine.value)} against {plain(one.theirs.value)}, {away}"


def _in(held: Sequence[object]) -> str:
    return f"in {sum(map(bool, held))} of {count(len(held), 'run')}" if held else NONE


def _n(runs: int) -> str:
    return f"n = {runs}"
