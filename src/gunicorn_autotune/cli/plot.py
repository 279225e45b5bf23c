"""Figures over time as a self-contained SVG. Pure: panels in, text out.

    svg([Panel("workers", "", [Series("target", [(0.0, 2), (4.0, 9)])])], title="...", label=clock_text)

Colours are middle tones after Okabe and Ito's palette (https://jfly.uni-koeln.de/color/): the colour-blind tell them
apart, and they are legible on white and on black. The dashes of the lines tell them apart without any colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gunicorn_autotune.cli.style import seconds_text

Points = Sequence[tuple[float, "float | None"]]
COLOURS = ("#1f83c4", "#d55e00", "#009e73", "#b8619b")
DASHES = ("", "7 4", "2 3", "10 3 2 3")
INK = "#7a7a7a"
LEFT, RIGHT, TOP, GAP, FOOT = 52, 16, 34, 32, 34
"""Pixels around the panels: for figures, for air, for the title, between panels, for times."""
TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
VALUE_TICKS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One line; it keeps each value until the next point (`steps`) or goes straight to it."""

    name: str
    points: Points
    """(seconds, value) in order; None breaks the line."""
    steps: bool = True


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share an axis, which begins at 0."""

    title: str
    unit: str
    """What the axis counts, when the title does not say it."""
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a panel stands, and what its edges mean."""

    begin: float
    end: float
    top: float
    width: int
    y: int
    height: int

    def across(self, at: float) -> float:
        return round(LEFT + (at - self.begin) / (self.end - self.begin) * (self.width - LEFT - RIGHT), 1)

    def up(self, value: float) -> float:
        return round(self.y + self.height * (1 - value / self.top), 1)


def svg(
    panels: Sequence[Panel], *, title: str = "", label: Callable[[float], str] | None = None, width: int = 900,
    panel_height: int = 150,
) -> str:  # fmt: skip
    """The panels one below the other over the same time, which `label` puts in words (since the start if not given)."""
    times = [at for panel in panels for series in panel.series for at, _ in series.points]
    begin, end = min(times, default=0.0), max(times, default=0.0)
    end = end if end > begin else begin + 1.0
    height = TOP + len(panels) * (panel_height + GAP) - GAP + FOOT
    words = label or (lambda at: seconds_text(at - begin))
    stamps = list(_time_ticks(begin, end, begin if label is None else 0.0))
    body = []
    for at, panel in enumerate(panels):
        tick = _value_tick(panel)
        ticks = max(1, math.ceil(_highest(panel) / tick))
        frame = _Frame(begin, end, tick * ticks, width, TOP + at * (panel_height + GAP) + 18, panel_height - 18)
        body += [*_axes(frame, tick, stamps), *_legend(frame, panel), *_lines(frame, panel)]
    foot = height - FOOT + 16
    body += [
        _text(LEFT + (at - begin) / (end - begin) * (width - LEFT - RIGHT), foot, words(at), "middle") for at in stamps
    ]
    return "\n".join([*_head(title, width, height), *body, "</svg>", ""])


def _head(title: str, width: int, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        _text(LEFT, 20, title, weight="bold"),
    ]


def _axes(frame: _Frame, tick: float, stamps: list[float]) -> Iterator[str]:
    right = frame.width - RIGHT
    for step in range(round(frame.top / tick) + 1):
        y = frame.up(step * tick)
        yield f'<path d="M{LEFT} {y}H{right}" stroke="{INK}" stroke-opacity="{0.3 if step else 1}"/>'
        yield _text(LEFT - 6, y + 4, f"{step * tick:.6g}", "end")
    for at in stamps:
        x = frame.across(at)
        yield f'<path d="M{x} {frame.y}V{frame.y + frame.height}" stroke="{INK}" stroke-opacity="0.15"/>'


def _legend(frame: _Frame, panel: Panel) -> Iterator[str]:
    y = frame.y - 8
    yield _text(LEFT, y, panel.title + (f" ({panel.unit})" if panel.unit else ""), weight="bold")
    if len(panel.series) < 2:
        return
    x = float(frame.width - RIGHT)
    for at, series in reversed(list(enumerate(panel.series))):
        # No font can be measured here; 7 pixels a letter hold for 12-pixel text.
        x -= 7 * len(series.name)
        yield _text(x, y, series.name)
        yield f'<path d="M{x - 32} {y - 4}h26" {_stroke(at)}/>'
        x -= 48


def _lines(frame: _Frame, panel: Panel) -> Iterator[str]:
    for at, series in enumerate(panel.series):
        path = "".join(_path(frame, series))
        yield f'<path d="{path}" fill="none" stroke-linejoin="round" {_stroke(at)}/>'


def _path(frame: _Frame, series: Series) -> Iterator[str]:
    pen_down, shown = False, math.nan
    points = list(_thinned(frame, series.points))
    for number, (at, value) in enumerate(points):
        if value is None or not math.isfinite(value):
            pen_down = False
            continue
        x, y = frame.across(at), frame.up(value)
        if not pen_down:
            yield f"M{x} {y}"
        elif not series.steps:
            yield f"L{x} {y}"
        elif y != shown or number == len(points) - 1 or points[number + 1][1] is None:
            yield f"H{x}V{y}"
        pen_down, shown = True, y


def _thinned(frame: _Frame, points: Points) -> Iterator[tuple[float, float | None]]:
    """At most four points a pixel: the first, the least, the largest and the last."""
    bucket: list[tuple[float, float | None]] = []
    for point in points:
        if bucket and int(frame.across(point[0])) != int(frame.across(bucket[0][0])):
            yield from _outline(bucket)
            bucket = []
        bucket.append(point)
    yield from _outline(bucket)


def _outline(bucket: list[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    known = [(value, at) for at, value in enumerate(point[1] for point in bucket) if value is not None]
    if len(bucket) <= 4 or not known:
        return bucket[:4]
    return [bucket[at] for at in sorted({0, min(known)[1], max(known)[1], len(bucket) - 1})]


def _stroke(at: int) -> str:
    dash = DASHES[at % len(DASHES)]
    return f'stroke="{COLOURS[at % len(COLOURS)]}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _highest(panel: Panel) -> float:
    values = [value for series in panel.series for _, value in series.points if value is not None]
    return max(filter(math.isfinite, values), default=0.0)


def _value_tick(panel: Panel) -> float:
    """1, 2 or 5 times a power of ten, so that about VALUE_TICKS of them reach the largest value."""
    rough = max(_highest(panel), 1e-9) / VALUE_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _time_ticks(begin: float, end: float, origin: float) -> Iterator[float]:
    """Round times, at most nine."""
    step = next(
        (step for step in TIME_STEPS if (end - begin) / step <= 8),
        TIME_STEPS[-1] * math.ceil((end - begin) / 8 / 86400),
    )
    at = origin + math.ceil((begin - origin) / step) * step
    while at <= end:
        yield at
        at += step
