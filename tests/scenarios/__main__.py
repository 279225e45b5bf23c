"""`python -m tests.scenarios [NAME...] [--seeds 1-3] [--static N] [--plot] [--trace] [--missed]`: figures, for people.

A NAME is any part of a scenario's name. An exclamation mark stands at each figure outside its range.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from tests.scenarios.figures import Finding, Run, findings, misses, run
from tests.scenarios.pictures import plot, trace
from tests.scenarios.scenario import Scenario, all_scenarios


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 when a figure is outside its range."""
    asked = _asked(arguments)
    missed: list[str] = []
    for scenario in all_scenarios():
        if asked.names and not any(name in scenario.name for name in asked.names):
            continue
        before = time.perf_counter()
        runs = [run(scenario, seed, asked.static) for seed in asked.seeds or scenario.seeds]
        missed += _print_table(scenario, runs, time.perf_counter() - before, asked.missed)
        if asked.plot:
            print(plot(runs[0]))
        if asked.trace:
            print(trace(runs[0]))
    print("\n".join([f"\n{len(missed)} figures are outside their range", *missed]))
    return 1 if missed else 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="any part of a scenario's name; all without")
    parser.add_argument("--seeds", type=_seeds, help="such as 1-3 or 1,4; those of the file without")
    parser.add_argument("--static", type=int, metavar="N", help="N workers from start to end instead of the law")
    parser.add_argument("--missed", action="store_true", help="only figures outside their range")
    parser.add_argument("--plot", action="store_true", help="the first seed as a picture")
    parser.add_argument("--trace", action="store_true", help="the first seed, ten seconds a line, and every change")
    return parser.parse_args(arguments)


def _seeds(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(one) for one in text.split(",")]


def _print_table(scenario: Scenario, runs: list[Run], took_seconds: float, missed_only: bool) -> list[str]:
    """What is outside its range, one line each."""
    rows = list(zip(*(findings(one) for one in runs), strict=True))
    missed = [f"  {scenario.name} seed {one.seed}: {miss}" for one in runs for miss in misses(one)]
    if missed_only and not missed:
        return missed
    seeds = "".join(f"{'seed ' + str(one.seed):>13}" for one in runs)
    print(f"\n{scenario.name}: {scenario.title}  ({took_seconds:.1f} s)")
    print(f"  {'':<28}{'allowed':>18}{seeds}")
    for row in rows:
        if not missed_only or not all(cell.holds for cell in row):
            print(f"  {row[0].figure:<28}{_allowed(row[0]):>18}" + "".join(_cell(cell) for cell in row))
    return missed


def _allowed(finding: Finding) -> str:
    return "" if finding.allowed is None else str(finding.allowed)


def _cell(finding: Finding) -> str:
    value = finding.value if isinstance(finding.value, str) else f"{finding.value:.4g}"
    return f"{value:>11} {' ' if finding.holds else '!'}"


if __name__ == "__main__":
    raise SystemExit(main())
