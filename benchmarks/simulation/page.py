"""docs/evidence.md and its plots, rendered from benchmarks/results/simulation.json: figures are never typed by hand.

python -m benchmarks.simulation.page     write both again (plots need matplotlib, the page does not)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.calibration.page import section
from benchmarks.simulation import goals, page_tables, record
from benchmarks.simulation.page_words import (
    BESIDE_PEERS,
    FELT,
    HEAD,
    LIMITS,
    LOSSES,
    METHOD,
    NAMED,
    NOT_FRESH,
    RANDOM,
)
from benchmarks.simulation.peers import OURS
from benchmarks.simulation.run import Played
from benchmarks.simulation.tally import LATE, SLOW, peers_excess, summary
from benchmarks.simulation.workloads import FRESH_SEEDS, TUNING_SEEDS

PAGE = record.ROOT / "docs" / "evidence.md"
PLOTS = record.ROOT / "docs" / "evidence"


def page(found: dict[str, Any], calibration: dict[str, Any] | None = None) -> str:
    """The whole page; `calibration` is benchmarks/results/calibration.json, where there is one."""
    parts = record.parts_of(found)
    named = parts.pop(record.NAMED, [])
    lines = [HEAD, METHOD, LIMITS, *_goals(parts, named)]
    for name, plays in parts.items():
        lines += _random(name, plays)
    if named:
        lines += _named(named)
    if calibration is not None:
        lines.append(section(calibration))
    lines += [*_reproduce(found)]
    return "\n".join(lines).rstrip() + "\n"


def _goals(parts: dict[str, list[Played]], named: Sequence[Played]) -> list[str]:
    verdicts = goals.of_named(named)
    for plays in parts.values():
        verdicts = goals.of_set({OURS: summary(plays, OURS)}) + verdicts
    lines = ["## Goals", "", *page_tables.goals(verdicts)]
    notes = [f"- {one.what}: {one.note}" for one in verdicts if one.note]
    return [*lines, *notes, ""] if notes else lines


def _random(name: str, plays: Sequence[Played]) -> list[str]:
    summaries = {controller: summary(plays, controller) for controller in plays[0].rows}
    lines = [f"## {len(plays)} random workloads, {name} seeds", ""]
    if name != "fresh":
        lines += [NOT_FRESH, ""]
    lines += [RANDOM, f"![Late and slow requests against memory](evidence/pareto-{name}.svg)", ""]
    lines += [FELT, *page_tables.felt(summaries)]
    lines += [f"![Distribution of the excess over the workloads](evidence/excess-{name}.svg)", ""]
    lines += ["What it cost:", "", *page_tables.cost(summaries)]
    lines += ["### Workload by workload", "", "Ours better or worse by more than a point.", ""]
    lines += page_tables.against(plays)
    lines += ["### Where ours loses most", "", LOSSES, *page_tables.losses(plays, LATE)]
    lines += ["The same by slow requests:", "", *page_tables.losses(plays, SLOW)]
    return [*lines, BESIDE_PEERS, *page_tables.losses(plays, SLOW, peers_excess)]


def _named(plays: Sequence[Played]) -> list[str]:
    seeds = sorted({one.seed for one in plays})
    lines = ["## Named scenarios", "", NAMED.format(low=seeds[0], high=seeds[-1])]
    lines += page_tables.questions(plays)
    lines += ["![Late and slow requests in each scenario](evidence/scenarios.svg)", ""]
    lines += ["Late % / mean workers:", "", *page_tables.scenarios(plays, LATE)]
    return [*lines, "Slow % / mean workers:", "", *page_tables.scenarios(plays, SLOW)]


def _reproduce(found: dict[str, Any]) -> list[str]:
    machine = found["machine"]
    return [
        "## Do it again",
        "",
        f"`make bench-sim`, or `{found['command']}`. The simulator knows no clock: the same seeds give the same "
        "figures on every machine. Tuning seeds "
        f"{_span(TUNING_SEEDS)}, fresh seeds {_span(FRESH_SEEDS)} (`benchmarks/simulation/workloads.py`). To see what "
        "happened in one workload: `python -m benchmarks.simulation --explain 1 4`.",
        "",
        f"Taken {found['taken'][:10]} in {found['seconds'] / 60:.0f} min on {found['jobs']} processes, "
        f"{machine['cores']} cores, {machine['cpu']}, {machine['python']}, gunicorn-autotune "
        f"{machine['gunicorn-autotune']}, law `{found['law']}`.",
    ]


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}"


def drawings(found: dict[str, Any]) -> dict[str, str]:
    """Every plot the page shows, by file name."""
    from benchmarks.simulation import plots  # matplotlib is not needed for the page

    parts = record.parts_of(found)
    named = parts.pop(record.NAMED, [])
    drawn = {"scenarios.svg": plots.scenarios(named)} if named else {}
    for name, plays in parts.items():
        drawn[f"pareto-{name}.svg"] = plots.pareto(plays)
        drawn[f"excess-{name}.svg"] = plots.ecdf(plays)
    return drawn


def write(page_path: Path = PAGE, plots_path: Path = PLOTS) -> None:
    """The page and its plots; plots of other parts are removed."""
    found = record.load()
    page_path.write_text(page(found, record.calibration()))
    plots_path.mkdir(exist_ok=True)
    drawn = drawings(found)
    for old in plots_path.glob("*.svg"):
        if old.name not in drawn and not old.name.startswith("calibration"):
            old.unlink()
    for name, text in drawn.items():
        (plots_path / name).write_text(text)


if __name__ == "__main__":
    write()
