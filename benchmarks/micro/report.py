"""A measurement and its goal, and the table they are printed in. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

MEETS, MISSES, NONE = "meets goal", "misses goal", ""
NAME_COLUMNS = 62
INDENT = " " * 6


@dataclass(frozen=True)
class Goal:
    """A bound the median must keep, or every single value where `every` says so."""

    limit: float
    at_least: bool = False
    every: bool = False

    def met(self, values: Sequence[float]) -> bool:
        """Whether these values keep it; no value keeps none."""
        if not values:
            return False
        worst = min(values) if self.at_least else max(values)
        judged = worst if self.every else median(values)
        return judged >= self.limit if self.at_least else judged <= self.limit


@dataclass(frozen=True)
class Measured:
    """One figure, measured several times; infinite is «never»."""

    what: str
    unit: str
    values: tuple[float, ...]
    goal: Goal | None = None
    yardstick: str = ""
    """The same from somebody else, in the same run."""
    note: str = ""

    @property
    def verdict(self) -> str:
        """What to say of the goal."""
        if self.goal is None:
            return NONE
        return MEETS if self.goal.met(self.values) else MISSES


@dataclass(frozen=True)
class CaseResult:
    """What one case found, and how to do it again."""

    measured: tuple[Measured, ...]
    commands: tuple[str, ...] = ()
    skipped: str = ""
    """Why nothing, or not everything, was measured."""
    seconds: float = 0.0
    load_averages: tuple[float, float] = (0.0, 0.0)
    """One-minute load average before and after."""
    details: Mapping[str, Any] = field(default_factory=dict)


def figure(value: float) -> str:
    """Three digits that count; `never` for infinity."""
    if math.isinf(value):
        return "never"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def goal_told(measured: Measured) -> str:
    """`<= 1`, or nothing."""
    if measured.goal is None:
        return ""
    sign = ">=" if measured.goal.at_least else "<="
    return f"{sign} {figure(measured.goal.limit)}"


def row(measured: Measured) -> list[str]:
    """A line of figures, then one for the yardstick and one for the note."""
    values = measured.values
    told = [figure(f(values)) for f in (min, median, max)] if values else ["-", "-", "-"]
    name = f"  {measured.what}" + (f", {measured.unit}" if measured.unit else "")
    columns = "".join(f"{text:>9}" for text in (goal_told(measured), *told))
    lines = [f"{name:<{NAME_COLUMNS}}{columns}  {measured.verdict}".rstrip()]
    if measured.yardstick:
        lines.append(f"{INDENT}yardstick: {measured.yardstick}")
    if measured.note:
        lines.append(f"{INDENT}{measured.note}")
    return lines


def table(results: Mapping[str, CaseResult], machine: Mapping[str, Any]) -> str:
    """Everything, for people."""
    lines = [f"{'':<{NAME_COLUMNS}}{'goal':>9}{'min':>9}{'median':>9}{'max':>9}  verdict"]
    for name, result in results.items():
        load = "load average {:.1f} -> {:.1f}".format(*result.load_averages)
        lines += ["", f"{name}  ({result.seconds:.0f} s, {load})"]
        for measured in result.measured:
            lines += row(measured)
        if result.skipped:
            lines.append(f"{INDENT}not measured: {result.skipped}")
    lines += ["", "Goals are judged by the median unless said otherwise. Verdicts never fail a build."]
    lines.append(", ".join(f"{name} {value}" for name, value in machine.items() if name != "load_average"))
    return "\n".join(lines)


def plain(result: CaseResult) -> dict[str, Any]:
    """The case as JSON can hold it; infinity becomes null."""
    return {
        "seconds": round(result.seconds, 1),
        "load_averages": result.load_averages,
        "commands": result.commands,
        "skipped": result.skipped,
        "details": result.details,
        "measured": [
            {
                "what": one.what,
                "unit": one.unit,
                "goal": goal_told(one),
                "goal_judged_by": "every value" if one.goal and one.goal.every else "median",
                "verdict": one.verdict,
                "min": finite(min(one.values, default=math.inf)),
                "median": finite(median(one.values)) if one.values else None,
                "max": finite(max(one.values, default=math.inf)),
                "values": [finite(value) for value in one.values],
                "yardstick": one.yardstick,
                "note": one.note,
            }
            for one in result.measured
        ],
    }


def finite(value: float) -> float | None:
    """The value, None for infinity."""
    return None if math.isinf(value) else value
