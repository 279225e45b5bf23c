"""The plots of docs/evidence.md as SVG; the same results give the same bytes with the same matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.simulation.palette import INK, LOOKS, NO_DATE, STYLE, WIDTH_INCHES
from benchmarks.simulation.peers import CONTENDERS, OURS, PEERS
from benchmarks.simulation.run import Played
from benchmarks.simulation.tally import LATE, SLOW, Mean, Summary, excess, share, summary
from matplotlib import pyplot
from matplotlib.axes import Axes

KINDS = ((LATE, "late"), (SLOW, "slow"))


def svg(draw: Callable[[], Any]) -> str:
    """What `draw` draws."""
    with pyplot.rc_context(STYLE):
        figure = draw()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=NO_DATE, bbox_inches="tight")
        pyplot.close(figure)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def pareto(plays: Sequence[Played]) -> str:
    """Mean late and slow share against memory: the nearer to the lower left corner, the better."""
    summaries = {name: summary(plays, name) for name in plays[0].rows}
    return svg(lambda: _pareto(summaries))


def _pareto(summaries: Mapping[str, Summary]) -> Any:
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH_INCHES, 4.2), sharex=True)
    for axis, (kind, word) in zip(axes, KINDS, strict=True):
        for name, one in summaries.items():
            _point(axis, name, one.gb_seconds, one.late if kind == LATE else one.slow)
        axis.set(xlabel="memory, GB-seconds", ylabel=f"requests {word}, % of all", xscale="log")
        axis.set_ylim(bottom=0)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if str(value)[0] in "25" else "")
    figure.tight_layout()
    _legend(figure, list(summaries))
    return figure


def _point(axis: Axes, name: str, memory: Mean, felt: Mean) -> None:
    look = LOOKS[name]
    x, y = memory.value, 100 * felt.value
    # A static count's interval is a point, and rounding may put an end of it on the wrong side.
    across = [[max(0.0, x - memory.low)], [max(0.0, memory.high - x)]]
    up = [[max(0.0, y - 100 * felt.low)], [max(0.0, 100 * felt.high - y)]]
    axis.errorbar(
        x, y, xerr=across, yerr=up,
        color=look.colour, elinewidth=0.8, marker="none",
    )  # fmt: skip
    size = 15 if name == OURS else 7
    axis.plot(x, y, look.marker, color=look.colour, markersize=size, markeredgecolor="white", markeredgewidth=0.7)


def ecdf(plays: Sequence[Played]) -> str:
    """Share of workloads with at most so much excess: the higher, the better."""
    return svg(lambda: _ecdf(plays))


def _ecdf(plays: Sequence[Played]) -> Any:
    names = [name for name in plays[0].rows if name == OURS or name in PEERS or name == "clairvoyant"]
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH_INCHES, 3.8), sharey=True)
    for axis, (kind, word) in zip(axes, KINDS, strict=True):
        for name in reversed(names):
            values = sorted(100 * excess(one, name, kind) for one in plays)
            shares = [100 * (rank + 1) / len(values) for rank in range(len(values))]
            look = LOOKS[name]
            axis.step([0.0, *values, 100.0], [0.0, *shares, 100.0], where="post", color=look.colour,
                      linestyle=look.line, linewidth=look.width)  # fmt: skip
        axis.set(xlabel=f"excess of {word} requests, points", xlim=(0, 100), ylim=(0, 101))
    axes[0].set_ylabel("workloads with at most so much, %")
    figure.tight_layout()
    _legend(figure, names, lines=True)
    return figure


def scenarios(plays: Sequence[Played]) -> str:
    """One lane per controller in each named scenario: mean over seeds, late and slow."""
    return svg(lambda: _scenarios(plays))


def _scenarios(plays: Sequence[Played]) -> Any:
    names = [name for name in plays[0].rows if name == OURS or name in PEERS]
    found = list(dict.fromkeys(one.name for one in plays))
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH_INCHES, 0.62 * len(found) + 0.8), sharey=True)
    for axis, (kind, word) in zip(axes, KINDS, strict=True):
        for row, scenario in enumerate(found):
            _lanes(axis, row, [one for one in plays if one.name == scenario], names, kind)
        axis.set(xlabel=f"{word}, % of requests", xlim=(-2, 102), ylim=(len(found) - 0.5, -0.5))
        axis.set_yticks(range(len(found)), found)
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0)
        for row in range(1, len(found)):
            axis.axhline(row - 0.5, color="#d0d0d0", linewidth=0.6)
    figure.tight_layout()
    _legend(figure, names)
    return figure


def _lanes(axis: Axes, row: int, plays: Sequence[Played], names: Sequence[str], kind: str) -> None:
    for lane, name in enumerate(names):
        value = 100 * mean(share(one.rows[name], kind) for one in plays)
        look, y = LOOKS[name], row + 0.8 * ((lane + 0.5) / len(names) - 0.5)
        axis.plot(value, y, look.marker, color=look.colour, markersize=9 if name == OURS else 4.5,
                  markeredgecolor="white", markeredgewidth=0.4, clip_on=False)  # fmt: skip


def _legend(figure: Any, names: Sequence[str], lines: bool = False) -> None:
    handles = []
    for name in names:
        look = LOOKS[name]
        style = {"linestyle": look.line, "linewidth": look.width} if lines else {"linestyle": "", "marker": look.marker}
        handles.append(pyplot.Line2D([], [], color=look.colour, markersize=7, label=CONTENDERS[name].title, **style))
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncol=4, labelcolor=INK)
