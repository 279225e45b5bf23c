"""The tables on the terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from benchmarks.simulation import goals
from benchmarks.simulation.peers import BEST_STATIC, CONTENDERS, OURS
from benchmarks.simulation.run import Played
from benchmarks.simulation.tally import (
    LATE,
    SLOW,
    Excess,
    Mean,
    best,
    excess,
    peers_excess,
    share,
    summary,
    wins,
    worst,
)

NAME_COLUMNS = 23


def set_report(plays: Sequence[Played], title: str) -> str:
    """A random set: summaries, goals, wins and losses, the worst ten."""
    names = list(plays[0].rows)
    summaries = {name: summary(plays, name) for name in names}
    heads = ("late", "slow", "exc.late", "95 %", "p90", "exc.slow", "95 %", "p90", "peers", "workers", "act", "rev",
             "p95/best")  # fmt: skip
    lines = [f"{title}: {len(plays)} workloads; shares and excesses in %", _line("", heads)]
    for name, one in summaries.items():
        cells = (
            _percent(one.late.value), _percent(one.slow.value),
            _percent(one.excess_late.value), _span(one.excess_late), _percent(one.excess_late_p90),
            _percent(one.excess_slow.value), _span(one.excess_slow), _percent(one.excess_slow_p90),
            "" if one.peers_late is None else _percent(one.peers_late),
            f"{one.workers:.1f}", f"{one.actions:.0f}", f"{one.reversals:.1f}",
            f"{one.p95_ratio:.2f}",
        )  # fmt: skip
        lines.append(_line(CONTENDERS[name].title, cells))
    lines += ["", *goal_lines(goals.of_set(summaries)), ""]
    return "\n".join(lines + (_against(plays) + _losses(plays) if OURS in names else []))


def goal_lines(verdicts: Sequence[goals.Verdict]) -> list[str]:
    """One line each."""
    return [f"  {one.what:<58}{one.goal:>8}{one.figure:>8}  {one.told}" for one in verdicts]


def _against(plays: Sequence[Played]) -> list[str]:
    lines = ["ours better / worse by more than a point (late; slow):"]
    for name in plays[0].rows:
        if name != OURS:
            late, slow = wins(plays, name, LATE), wins(plays, name, SLOW)
            lines.append(f"  {CONTENDERS[name].title:<24}{late[0]:>4} / {late[1]:<4}{slow[0]:>6} / {slow[1]}")
    return lines


def _losses(plays: Sequence[Played]) -> list[str]:
    return [
        *_worst(plays, LATE, excess, "where ours loses most, by late (late %, slow %, workers):"),
        *_worst(plays, SLOW, peers_excess, "beside the best installable peer, by slow:"),
    ]


def _worst(plays: Sequence[Played], kind: str, by: Excess, head: str) -> list[str]:
    lines = ["", head]
    for one in worst(plays, kind, by):
        winner, ours = best(one, kind, by), one.rows[OURS]
        theirs = one.rows[winner]
        lines += [
            f"  {one.name:<8} +{excess(one, OURS, LATE):.1%} late, +{excess(one, OURS, SLOW):.1%} slow: {one.about}",
            f"           ours {ours.late:.1%} {ours.slow:.1%} {ours.workers:.1f} w; {winner} {theirs.late:.1%} "
            f"{theirs.slow:.1%} {theirs.workers:.1f} w",
        ]
    return lines


def named_report(plays: Sequence[Played]) -> str:
    """Late share / mean workers, a scenario a line, then the same for slow."""
    names = list(plays[0].rows)
    lines = []
    for kind in (LATE, SLOW):
        lines.append(f"{kind} % / mean workers, mean of {len({one.seed for one in plays})} seeds")
        lines.append(_line("", [name[:11] for name in names], 12))
        for scenario in dict.fromkeys(one.name for one in plays):
            mine = [one for one in plays if one.name == scenario]
            lines.append(_line(scenario, [_cell(mine, name, kind) for name in names], 12))
        lines.append("")
    if BEST_STATIC in names:
        lines.append("static oracle: " + ", ".join(_counts(plays)))
    return "\n".join(lines + goal_lines(goals.of_named(plays)))


def _counts(plays: Sequence[Played]) -> list[str]:
    found = []
    for scenario in dict.fromkeys(one.name for one in plays):
        counts = {one.rows[BEST_STATIC].start for one in plays if one.name == scenario}
        found.append(f"{scenario} {min(counts):.0f}" + (f"-{max(counts):.0f}" if len(counts) > 1 else ""))
    return found


def _cell(plays: Sequence[Played], name: str, kind: str) -> str:
    rows = [one.rows[name] for one in plays]
    return f"{mean(share(row, kind) for row in rows) * 100:.1f}/{mean(row.workers for row in rows):.1f}"


def _line(name: str, cells: Sequence[str], width: int = 10) -> str:
    return f"{name:<{NAME_COLUMNS}}" + "".join(f"{cell:>{width}}" for cell in cells)


def _percent(value: float) -> str:
    return f"{value * 100:.1f}"


def _span(one: Mean) -> str:
    return f"{one.low * 100:.1f}-{one.high * 100:.1f}"
