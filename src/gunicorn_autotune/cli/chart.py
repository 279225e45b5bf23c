"""Figures over time as a few lines of a terminal: block characters, or ASCII where the encoding has none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gunicorn_autotune.cli.style import Style, figure

Points = Sequence[tuple[float, "float | None"]]
"""(seconds, value) in order; None where the value was missing."""
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:#"
UNKNOWN = "?"
ROWS = 2
NAME_COLUMNS = 13
TOP_COLUMNS = 6
MARGIN = NAME_COLUMNS + TOP_COLUMNS + 3
"""Columns left of the plot: name, largest value, axis."""


def strip(name: str, points: Points, cells: int, style: Style, top: float | None = None) -> list[str]:
    """One figure over time, `top` (its own maximum if not given) at the upper edge."""
    values = in_columns(points, cells)
    highest = max([value for value in values if value is not None], default=0.0) if top is None else top
    axis = "│" if style.unicode else "|"
    lines = []
    for row in reversed(range(ROWS)):
        label = (name, figure(highest)) if row == ROWS - 1 else ("", "0" if row == 0 else "")
        drawn = "".join(_cell(value, highest, row, style) for value in values)
        lines.append(f"{label[0]:<{NAME_COLUMNS}} {label[1]:>{TOP_COLUMNS}} {axis}{drawn}".rstrip())
    return lines


def flags(name: str, seconds: Sequence[float], marked: Sequence[bool], cells: int) -> str:
    """A `!` over each stretch in which something is marked."""
    points = [(at, float(mark)) for at, mark in zip(seconds, marked, strict=True)]
    return f"{name:<{MARGIN}}" + "".join("!" if value else " " for value in in_columns(points, cells, held=False))


def in_columns(points: Points, cells: int, *, held: bool = True) -> list[float | None]:
    """The largest value of each of `cells` equal stretches; one without a point keeps the last value when `held`."""
    begin, end = points[0][0], points[-1][0]
    width = (end - begin) / cells or 1.0
    columns: list[list[float | None]] = [[] for _ in range(cells)]
    for at, value in points:
        columns[min(cells - 1, int((at - begin) / width))].append(value)
    last: float | None = None
    values = []
    for column in columns:
        known = [value for value in column if value is not None and math.isfinite(value)]
        values.append(max(known) if known else last if held and not column else None)
        last = (known[-1] if known else None) if column else last
    return values


def _cell(value: float | None, top: float, row: int, style: Style) -> str:
    if value is None:
        return UNKNOWN if row == 0 else " "
    ramp = BLOCKS if style.unicode else ASCII
    filled = min(1.0, max(0.0, value / top * ROWS - row)) if top > 0 else 0.0
    # Anything above zero shows at the foot.
    least = 1 if row == 0 and value > 0 else 0
    return ramp[max(least, round(filled * (len(ramp) - 1)))]
