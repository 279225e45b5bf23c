"""Two plots of the step cell: real against simulated for docs/evidence.md, the law at work for docs/how-it-decides.md.

python -m benchmarks.calibration.plots     draws both again from benchmarks/results/calibration.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOOD_MS = 250
FROM_SECONDS, TO_SECONDS = -3.0, 15.0
"""What is shown around the step; the rest of the minute is calm."""
LEGENDS = ("center right", "lower right", "upper right")
"""Where load, workers and response leave room."""
BLUE, ORANGE, GREEN, GREY = "#1f77b4", "#d95f02", "#1b7837", "#777777"


def draw(document: dict[str, Any], docs: Path) -> None:
    """Write evidence/calibration-step.svg and how-it-decides-step.svg below `docs`."""
    lines = document["timelines"]
    (docs / "evidence").mkdir(exist_ok=True)
    _save(real_against_simulated(lines), docs / "evidence" / "calibration-step.svg")
    _save(law_at_work(lines["real"]), docs / "how-it-decides-step.svg")


def real_against_simulated(lines: dict[str, Any]) -> Any:
    """Workers over time, and the p95 of each second."""
    figure, (workers, response) = _panels(2)
    for name, color, style in (("real", BLUE, "-"), ("simulated", ORANGE, "--")):
        line = lines[name]
        _steps(workers, line, "ready", color, f"{name}: ready workers", style)
        _response(response, line, color, name, style)
    workers.set_ylabel("workers")
    _finish(figure, (workers, response), "A step from 10 to 150 requests/s of 100 ms: real and simulated")
    return figure


def law_at_work(line: dict[str, Any]) -> Any:
    """What came, what the law made of it, what users felt."""
    figure, (load, workers, response) = _panels(3)
    shown = _seconds(line)
    load.step(*_offered(line), where="post", color=GREY, label="offered rate")
    load.plot(*_points(line, shown, "arrivals"), color=BLUE, marker="o", markersize=3, label="arrivals")
    _steps(load, line, "backlog", ORANGE, "backlog (requests)")
    load.set_ylabel("requests/s")
    _steps(workers, line, "demand", GREEN, "demand", ":")
    _steps(workers, line, "target", ORANGE, "target", "--")
    _steps(workers, line, "ready", BLUE, "ready")
    workers.set_ylabel("workers")
    _response(response, line, BLUE, "p95", "-")
    _finish(figure, (load, workers, response), "A real run: 10, then 150 requests/s of 100 ms")
    return figure


def _panels(count: int) -> Any:
    import matplotlib as mpl

    mpl.use("svg")
    # The same picture gives the same file, and text stays text.
    mpl.rcParams.update({"svg.hashsalt": "calibration", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    return pyplot.subplots(count, 1, sharex=True, figsize=(7.2, 2.1 * count + 0.6), layout="constrained")


def _steps(axes: Any, line: dict[str, Any], name: str, color: str, label: str, style: str = "-") -> None:
    rows = [row for row in line["ticks"] if row[name] is not None]
    at = [row["at"] - line["step_at"] for row in rows]
    axes.step(at, [row[name] for row in rows], style, where="post", color=color, label=label, linewidth=1.4)


def _response(axes: Any, line: dict[str, Any], color: str, label: str, style: str) -> None:
    rows = [row for row in _seconds(line) if row["p95_seconds"] is not None]
    at, p95 = _points(line, rows, "p95_seconds")
    axes.plot(at, [value * 1e3 for value in p95], style, color=color, marker="o", markersize=3, label=label)
    axes.set_yscale("log")
    axes.set_ylabel("p95 response, ms")


def _seconds(line: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that are shown."""
    return [row for row in line["per_second"] if FROM_SECONDS <= row["second"] + 0.5 - line["step_at"] <= TO_SECONDS]


def _points(line: dict[str, Any], rows: list[dict[str, Any]], name: str) -> tuple[list[float], list[Any]]:
    """The middle of each second, and its value."""
    return [row["second"] + 0.5 - line["step_at"] for row in rows], [row[name] for row in rows]


def _offered(line: dict[str, Any]) -> tuple[list[float], list[float]]:
    begins = [at - line["step_at"] for at, _ in line["offered"]] + [line["seconds"] - line["step_at"]]
    rates = [rate for _, rate in line["offered"]]
    return begins, [*rates, rates[-1]]


def _finish(figure: Any, panels: tuple[Any, ...], title: str) -> None:
    panels[-1].axhline(GOOD_MS, color=GREY, linestyle=":", linewidth=1)
    panels[-1].annotate(f"{GOOD_MS} ms", (FROM_SECONDS, GOOD_MS), ha="left", va="bottom", color=GREY)
    panels[-1].set_xlabel("seconds after the step")
    panels[-1].set_yticks([100, 200, 500, 1000], ["100", "200", "500", "1000"])
    panels[-1].minorticks_off()
    panels[-1].set_xlim(FROM_SECONDS, TO_SECONDS)
    panels[0].set_title(title, fontsize=10)
    for panel, place in zip(panels, LEGENDS[-len(panels) :], strict=True):
        panel.grid(alpha=0.25)
        panel.legend(loc=place, frameon=False, fontsize=8)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def main() -> None:
    """From the results that were taken."""
    root = Path(__file__).parents[2]
    draw(json.loads((root / "benchmarks" / "results" / "calibration.json").read_text()), root / "docs")


if __name__ == "__main__":
    main()
