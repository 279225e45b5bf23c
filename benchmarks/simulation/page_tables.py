"""The tables of docs/evidence.md, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean

from benchmarks.simulation.goals import Verdict
from benchmarks.simulation.peers import BEST_STATIC, CONTENDERS, OURS
from benchmarks.simulation.run import Played
from benchmarks.simulation.tally import (
    LATE,
    SLOW,
    Excess,
    Mean,
    Summary,
    best,
    excess,
    saved,
    share,
    wins,
    worst,
)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def title(name: str) -> str:
    """The controller's name, ours in bold."""
    return f"**{CONTENDERS[name].title}**" if name == OURS else CONTENDERS[name].title


def goals(verdicts: Sequence[Verdict]) -> list[str]:
    """Goal, figure, verdict."""
    heads = ("measured", "goal", "figure", "")
    return table(heads, ((one.what, one.goal, one.figure, one.told) for one in verdicts))


def felt(summaries: dict[str, Summary]) -> list[str]:
    """What users felt."""
    heads = ("controller", "late", "slow", "excess late (95 %)", "p90", "excess slow (95 %)", "p90",
             "late above peers' best", "slow above peers' best", "p95 / best")  # fmt: skip
    rows = []
    for name, one in summaries.items():
        rows.append((
            title(name), points(one.late.value), points(one.slow.value),
            ranged(one.excess_late), points(one.excess_late_p90),
            ranged(one.excess_slow), points(one.excess_slow_p90),
            _optional(one.peers_late), _optional(one.peers_slow), f"{one.p95_ratio:.2f}",
        ))  # fmt: skip
    return table(heads, rows)


def cost(summaries: dict[str, Summary]) -> list[str]:
    """What it cost."""
    heads = ("controller", "mean workers", "GB-seconds (95 %)", "actions per 10 min", "reversals per 10 min",
             "under-supply", "over-supply")  # fmt: skip
    rows = (
        (
            title(name), f"{one.workers:.1f}",
            f"{one.gb_seconds.value:.0f} ({one.gb_seconds.low:.0f} to {one.gb_seconds.high:.0f})",
            f"{one.actions:.1f}", f"{one.reversals:.1f}", f"{one.under:.2f}", f"{one.over:.2f}",
        )
        for name, one in summaries.items()
    )  # fmt: skip
    return table(heads, rows)


def against(plays: Sequence[Played]) -> list[str]:
    """Ours beside each of the others, workload by workload."""
    heads = ("beside", "late: better / worse", "late saved, points (95 %)", "slow: better / worse",
             "slow saved, points (95 %)")  # fmt: skip
    rows = []
    for name in plays[0].rows:
        if name != OURS:
            late, slow = wins(plays, name, LATE), wins(plays, name, SLOW)
            rows.append((
                CONTENDERS[name].title, f"{late[0]} / {late[1]}", ranged(saved(plays, name, LATE)),
                f"{slow[0]} / {slow[1]}", ranged(saved(plays, name, SLOW)),
            ))  # fmt: skip
    return table(heads, rows)


def losses(plays: Sequence[Played], kind: str, by: Excess = excess) -> list[str]:
    """The workloads where ours loses most."""
    word = "late" if kind == LATE else "slow"
    heads = ("workload", f"excess {word}", "ours late / slow / workers", f"least {word} by", "late / slow / workers",
             "parameters")  # fmt: skip
    rows = []
    for one in worst(plays, kind, by):
        winner = best(one, kind, by)
        rows.append((
            one.name, points(by(one, OURS, kind)), _felt(one, OURS), CONTENDERS[winner].title, _felt(one, winner),
            one.about,
        ))  # fmt: skip
    return table(heads, rows)


def scenarios(plays: Sequence[Played], kind: str) -> list[str]:
    """Share and mean workers, a scenario a line."""
    names = list(plays[0].rows)
    rows = []
    for scenario in _names(plays):
        mine = [one for one in plays if one.name == scenario]
        rows.append((scenario, *(_cell(mine, name, kind) for name in names)))
    return table(("scenario", *(title(name) for name in names)), rows)


def questions(plays: Sequence[Played]) -> list[str]:
    """What each scenario is, and the static count that hindsight chooses."""
    rows = []
    for scenario in _names(plays):
        mine = [one for one in plays if one.name == scenario]
        counts = sorted({round(one.rows[BEST_STATIC].start) for one in mine if BEST_STATIC in one.rows})
        rows.append((scenario, mine[0].about, " to ".join(str(one) for one in dict.fromkeys(counts[:1] + counts[-1:]))))
    return table(("scenario", "what it is", "static oracle's workers"), rows)


def points(value: float) -> str:
    """A share in per cent, one digit."""
    return f"{value * 100:.1f}"


def ranged(one: Mean) -> str:
    """A mean with its interval."""
    return f"{points(one.value)} ({points(one.low)} to {points(one.high)})"


def _optional(value: float | None) -> str:
    return "" if value is None else points(value)


def _felt(played: Played, name: str) -> str:
    row = played.rows[name]
    return f"{points(row.late)} / {points(row.slow)} / {row.workers:.1f}"


def _names(plays: Sequence[Played]) -> list[str]:
    return list(dict.fromkeys(one.name for one in plays))


def _cell(plays: Sequence[Played], name: str, kind: str) -> str:
    rows = [one.rows[name] for one in plays]
    return f"{points(mean(share(row, kind) for row in rows))} / {mean(row.workers for row in rows):.1f}"
