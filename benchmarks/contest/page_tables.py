"""The tables of docs/benchmarks.md, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from benchmarks.contest import roles
from benchmarks.contest.beside import (
    BACK,
    CPU,
    FELT,
    LATE,
    MEMORY,
    P95,
    P99,
    SPENT,
    THROUGHPUT,
    VERY_LATE,
    Beside,
    Measure,
    beside,
    values,
)
from benchmarks.contest.cells import NONE, interval, milliseconds, per_cent, plain, times, told
from benchmarks.contest.goals import FULL, POOL, Judged
from benchmarks.contest.intervals import BETTER, EVEN, UNKNOWN, WORSE, mean_of
from benchmarks.contest.roles import DIRECT, MOST, ORACLE, RIVALS, RULE, Found, Run
from benchmarks.simulation.page_tables import table

FELT_OR_DONE = (*FELT, THROUGHPUT)
"""Throughput where the server is asked for more than it can give."""
NO_LOSS = "No measure of any workload is worse by more than noise in these runs."
NO_PAIR = "Adaptive and a rival have no valid run of the same seed."
NOT_JUDGED = "Nothing could be judged: no rival has two pairs on a workload."
WORDS = {BETTER: "better", EVEN: "tie", WORSE: "**worse**"}
ONE_PAIR = "1 pair"
HEADS = ("contender", "late > 50", "late > 250", "failed", "p50", "p95", "p99", "to capacity", "worker-s", "GB-s",
         "CPU", "moves", "OOM kills", "runs")  # fmt: skip


def goals(verdicts: Sequence[Judged]) -> list[str]:
    """Goal, figure, verdict."""
    heads = ("asked", "goal", "measured", "", "beside it")
    lines = table(heads, ((one.what, one.goal, one.figure, one.word, one.yardstick) for one in verdicts))
    notes = [f"- {one.what}: {one.note}" for one in verdicts if one.note]
    return [*lines, *notes, ""] if notes else lines


def score(found: Found) -> list[str]:
    """A workload a row, a rival a column."""
    return _matrix(found, _score)


def _matrix(found: Found, cell: Callable[[Found, str, str], str]) -> list[str]:
    """A workload a row, a rival a column; those without a pair are named as not run under the workload."""
    rows = {name: {part: cell(found, name, part) for part in RIVALS} for name in roles.workloads_of(found)}
    parts = [part for part in RIVALS if any(row[part] != NONE for row in rows.values())]
    shown = [(name, *(row[part] for part in parts)) for name, row in rows.items() if set(row.values()) != {NONE}]
    return table(("workload", *(roles.NAMES[part] for part in parts)), shown) if shown else [NO_PAIR, ""]


def _score(found: Found, workload: str, part: str) -> str:
    late, p95 = (beside(found, workload, part, measure) for measure in (LATE, P95))
    if not late.difference.pairs:
        return NONE
    if late.word == UNKNOWN:
        return ONE_PAIR
    return f"{WORDS[late.word]} / {WORDS[p95.word]}"


def results(found: Found, workload: str, front: str = DIRECT) -> list[str]:
    """Every contender that ran there, and who did not."""
    names = roles.rows_of(found, workload, front)
    stepped = any(values(found, workload, name, BACK, front) for name in names)
    heads = [head for head in HEADS if stepped or head != "to capacity"]
    rows = []
    for name in names:
        cells = dict(zip(HEADS, row(found, workload, name, front), strict=True))
        rows.append([cells[head] for head in heads])
    return table(heads, rows)


def row(found: Found, workload: str, name: str, front: str) -> tuple[str, ...]:
    """One contender's figures, means over the valid runs."""
    runs = roles.runs_of(found, workload, name, front)
    good = roles.valid(runs)

    def cell(measure: Measure, interval: bool = True) -> str:
        return told(mean_of(list(values(found, workload, name, measure, front).values())), measure.form, interval)

    return (
        roles.title(found, workload, name), cell(LATE), cell(VERY_LATE), failed(good),
        _plain(good, "p50_seconds"), cell(P95), cell(P99, False), cell(BACK), _plain(good, "worker_seconds"),
        cell(MEMORY), cell(CPU, False), _moves(good), _kills(good), counted(good, runs),
    )  # fmt: skip


def _plain(runs: Sequence[Run], figure: str) -> str:
    form = milliseconds if figure.startswith("p") else plain
    return told(mean_of([run["figures"].get(figure) for run in runs]), form, interval=False)


def failed(runs: Sequence[Run]) -> str:
    """`1.20 (34)`: % of all requests of these runs, and how many; `0`."""
    lost = sum(run["figures"]["failed"] for run in runs)
    asked = sum(run["figures"]["requests"] for run in runs)
    if not asked:
        return NONE
    return f"{per_cent(lost / asked)} ({lost:,})" if lost else "0"


def _moves(runs: Sequence[Run]) -> str:
    if not runs:
        return NONE
    actions, reversals = (mean(run["figures"][name] for run in runs) for name in ("actions", "reversals"))
    return f"{actions:.1f} / {reversals:.1f}".replace(".0", "")


def _kills(runs: Sequence[Run]) -> str:
    known = [run["figures"].get("oom_kills") for run in runs]
    seen = [one for one in known if one is not None]
    return f"{sum(seen)}" if seen else NONE


def counted(good: Sequence[Run], runs: Sequence[Run]) -> str:
    """`9 of 10`: valid of all."""
    return f"{len(good)} of {len(runs)}"


def losses(found: Found) -> list[str]:
    """A row for each workload and rival that beats adaptive in anything users feel; won or tied measures are empty."""
    rows, judged = [], False
    for workload in roles.workloads_of(found):
        measures = FELT_OR_DONE if workload in (FULL, POOL) else FELT
        for part in RIVALS:
            ones = {one: beside(found, workload, part, one) for one in measures}
            judged = judged or ones[LATE].word != UNKNOWN
            if any(one.word == WORSE for one in ones.values()):
                cells = (_lost(ones[one]) if one in ones else "" for one in FELT_OR_DONE)
                rows.append((workload, _who(found, workload, part), *cells))
    if not rows:
        return [NO_LOSS if judged else NOT_JUDGED, ""]
    return table(("workload", "beside", *(f"{one.words}, {one.unit}" for one in FELT_OR_DONE)), rows)


def _who(found: Found, workload: str, part: str) -> str:
    name = roles.name_of(found, workload, part)
    return f"{roles.NAMES[part]} ({name})" if part in (ORACLE, MOST, RULE) else roles.NAMES[part]


def _lost(one: Beside) -> str:
    """`4.10 against 0.20 (+3.50 to +4.30)`; empty unless it is a loss."""
    if one.word != WORSE:
        return ""
    mine, theirs = (told(side, one.measure.form, interval=False) for side in (one.mine, one.theirs))
    inside = "" if one.difference.half is None else f" ({interval(one.difference, one.measure.form)})"
    return f"{mine} against {theirs}{inside}"


def spent(found: Found) -> list[str]:
    """Memory and CPU a request, beside each rival."""
    return _matrix(found, _spent)


def _spent(found: Found, workload: str, part: str) -> str:
    cells = []
    for measure in SPENT:
        one = beside(found, workload, part, measure)
        text = times(one.ratio)
        cells.append(f"**{text}**" if one.word == WORSE else text)
    return NONE if set(cells) == {NONE} else " / ".join(cells)
