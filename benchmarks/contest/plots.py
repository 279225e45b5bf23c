"""The plots of docs/benchmarks.md as SVG; the same results give the same bytes with the same matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from benchmarks.contest import roles
from benchmarks.contest.contenders import ADAPTIVE
from benchmarks.contest.drawn import drawn_runs, points
from benchmarks.contest.looks import LOOKS
from benchmarks.contest.roles import NAMES, PARTS, Found
from benchmarks.simulation.palette import GREY, INK, WIDTH_INCHES
from benchmarks.simulation.plots import svg
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

PANELS_A_ROW = 4
ALL_FAILED_SECONDS = 20.0
"""Where the p95 of a second is drawn that failed requests make endless: over the client's patience."""


def over_time(found: Found, workload: str) -> str:
    """Load, workers and the p95 of each second, one seed, everybody with a part."""
    return svg(lambda: _over_time(found, workload))


def _over_time(found: Found, workload: str) -> Any:
    runs = drawn_runs(found, workload)
    figure, (load, workers, p95) = pyplot.subplots(
        3, 1, figsize=(WIDTH_INCHES, 6.6), sharex=True, height_ratios=(1, 2, 2.6), layout="constrained"
    )
    _load(load, runs[0][1]["series"])
    # Ours last, so that it lies on top.
    for part, run in sorted(runs, key=lambda one: one[0] == ADAPTIVE):
        _workers(workers, part, run["series"])
        _p95(p95, part, run["series"])
    workers.set(ylabel="workers", ylim=(0, None))
    p95.set(xlabel=f"seconds (seed {runs[0][1]['seed']})", ylabel="p95, ms", yscale="log")
    p95.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    load.set_xlim(0, runs[0][1]["series"]["seconds"])
    figure.align_ylabels()
    _legend(figure, [(part, _label(found, workload, part)) for part, _ in runs], lines=True)
    return figure


def _label(found: Found, workload: str, part: str) -> str:
    """A static count has its number, and every part that it plays."""
    name = roles.name_of(found, workload, part) or part
    names = ", ".join(NAMES[one] for one in roles.parts_of(found, workload, name))
    return f"{names}: {name.removeprefix('static-')}" if name.startswith("static-") else names


def _load(axis: Axes, series: Any) -> None:
    moments = [at for at, _ in series["offered"]] + [series["seconds"]]
    rates = [rate for _, rate in series["offered"]]
    axis.stairs(rates, moments, fill=True, color="#dcdcdc")
    axis.stairs(rates, moments, color=GREY, baseline=None)
    axis.set(ylabel="offered, 1/s", ylim=(0, 1.15 * max(rates)))


def _workers(axis: Axes, part: str, series: Any) -> None:
    look = LOOKS[part]
    changes = [*series["workers"], [series["seconds"], series["workers"][-1][1]]]
    axis.step([at for at, _ in changes], [count for _, count in changes], where="post", color=look.colour,
              linestyle=look.line, linewidth=look.width)  # fmt: skip


def _p95(axis: Axes, part: str, series: Any) -> None:
    look = LOOKS[part]
    rows = [row for row in series["per_second"] if row["arrivals"]]
    moments = [row["second"] + 0.5 for row in rows]
    endless = [row["p95_seconds"] is None for row in rows]
    taken = [
        1e3 * (ALL_FAILED_SECONDS if none else row["p95_seconds"]) for none, row in zip(endless, rows, strict=True)
    ]
    axis.plot(moments, taken, color=look.colour, linestyle=look.line, linewidth=look.width)
    lost = [moment for moment, none in zip(moments, endless, strict=True) if none]
    # Nothing to mark would still take room in the layout.
    if lost:
        axis.plot(lost, [1e3 * ALL_FAILED_SECONDS] * len(lost), "x", color=look.colour, markersize=6, clip_on=False)


def pareto(found: Found) -> str:
    """Mean late share against mean GB-seconds, a panel a workload: the lower left corner is best."""
    return svg(lambda: _pareto(found))


def _pareto(found: Found) -> Any:
    shown = [name for name in roles.workloads_of(found) if points(found, name)]
    rows = ceil(len(shown) / PANELS_A_ROW)
    across = min(PANELS_A_ROW, len(shown))
    figure, axes = pyplot.subplots(
        rows, across, figsize=(WIDTH_INCHES, 1.9 * rows + 1.0), squeeze=False, sharey=True, layout="constrained"
    )
    panels = list(axes.flat)
    for axis, workload in zip(panels, shown, strict=False):
        _panel(axis, workload, points(found, workload))
    for axis in panels[len(shown):]:  # fmt: skip
        axis.set_visible(False)
    # A label of the whole figure would lie under the legend.
    for axis in panels[:len(shown)][-across:]:  # fmt: skip
        axis.set_xlabel("GB-seconds")
    figure.supylabel("late > 50 ms, % of requests", fontsize=9.5)
    drawn = {part for workload in shown for part, *_ in points(found, workload)}
    _legend(figure, [(part, NAMES[part]) for part in PARTS if part in drawn])
    return figure


def _panel(axis: Axes, workload: str, those: Sequence[tuple[str, float, float]]) -> None:
    for part, memory, late in reversed(those):
        look = LOOKS[part]
        size = 14 if part == ADAPTIVE else 7
        axis.plot(memory, late, look.marker, color=look.colour, markersize=size, markeredgecolor="white",
                  markeredgewidth=0.6, clip_on=False, zorder=5)  # fmt: skip
    axis.set_title(workload, fontsize=9.5, loc="left", fontweight="bold")
    axis.set_xlim(0, 1.08 * max(memory for _, memory, _ in those))
    # Even below 1 %, logarithmic above: a tenth of a point and half of all requests are both to be seen.
    axis.set_yscale("symlog", linthresh=1, linscale=1)
    axis.set_ylim(0, 100)
    axis.set_yticks((0, 1, 10, 100), ("0", "1", "10", "100"))
    axis.set_yticks((), minor=True)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.tick_params(labelsize=8)


def _legend(figure: Any, labels: Sequence[tuple[str, str]], lines: bool = False) -> None:
    handles = []
    for part, label in labels:
        look = LOOKS[part]
        style = {"linestyle": look.line, "linewidth": look.width} if lines else {"linestyle": "", "marker": look.marker}
        handles.append(pyplot.Line2D([], [], color=look.colour, markersize=8, label=label, **style))
    figure.legend(handles=handles, loc="outside lower center", ncol=3, labelcolor=INK)
