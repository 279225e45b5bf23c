"""The section of docs/evidence.md on how far the simulator is from real runs: figures are never typed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.calibration.compare import GOAL_POINTS, GOAL_SHARE, JUDGED, SMALL_SHARE, Compared, compared
from benchmarks.calibration.runner import LOOKS, TRIES

HEAD = f"""## The simulator against real runs

The same arrivals, each with the same work, once for a real Gunicorn with autotune at its defaults (2 to 40 workers) on
loopback, once for `SimulatedHost`. The record of every tick gives queue times and workers, the sender gives the
responses. What the simulator knows of this machine (below) comes from a probe; nothing is fitted to a cell. Only the
moments of the ticks are taken from the real run.

`late` is the share of requests that waited over 100 ms for a worker; `slow` the share answered over 100 ms later than
alone; `back` the time from the last change of the load until the p95 of what a response takes beyond its own work stays
below 150 ms. Brackets hold the lowest and highest of the seeds, and for simulated figures of {LOOKS} other moments of
the ticks: an error smaller than either spread is chance. Goal: late and workers within {GOAL_SHARE:.0%}; for a late
share below {SMALL_SHARE:.0%}, within {GOAL_POINTS * 100:g} points.

"""
PLOT = """![Workers and p95 of each second, real and simulated](evidence/calibration-step.svg)

"""
LIMITS = """What the simulator leaves out:

- **Which gthread worker accepts.** With `worker_connections` of 1000 a worker takes connections for which it has no
  thread (`gthread_ahead`). Real workers share them unevenly; the simulator draws one at random.
- **Wake-ups for nothing.** Every idle sync worker wakes for every new connection. The mean price is in the CPU of each
  request, however many are idle.
- **The scheduler.** The cores are shared evenly and without delay.
"""
Format = Callable[[float], str]


def percent(value: float) -> str:
    """`1.3 %`."""
    return f"{value * 100:.1f} %"


def milliseconds(value: float) -> str:
    """`104 ms`."""
    return f"{value * 1e3:.0f} ms"


def seconds(value: float) -> str:
    """`1.02 s`."""
    return f"{value:.2f} s"


def number(value: float) -> str:
    """`13.2`."""
    return f"{value:.1f}"


FIRST: tuple[tuple[str, str, Format], ...] = (
    ("late_share", "late", percent),
    ("mean_workers", "mean workers", number),
)
SECOND: tuple[tuple[str, str, Format], ...] = (
    ("slow_share", "slow", percent),
    ("p95_response_seconds", "p95 response", milliseconds),
    ("throughput", "answers/s", number),
    ("actions", "actions", number),
    ("back_seconds", "back", seconds),
)


def section(results: dict[str, Any]) -> str:
    """Markdown, from its heading on; `results` is benchmarks/results/calibration.json."""
    cells = results["cells"]
    parts = [
        HEAD,
        _note(results),
        _verdict(cells),
        _table(cells, FIRST, errors=True),
        _table(cells, SECOND, errors=False),
    ]
    parts += ["Cells: ", "; ".join(f"`{name}` {cell['title']}" for name, cell in cells.items()), ".\n\n"]
    if "timelines" in results:
        parts.append(PLOT)
    parts += [LIMITS, "\n", _constants(results["constants"]), _conditions(results)]
    return "".join(parts).rstrip() + "\n"


def _note(results: dict[str, Any]) -> str:
    """What a reader must know of this run before its figures, such as that it was for debugging."""
    return f"**{results['note']}**\n\n" if results["note"] else ""


def judged(cells: dict[str, Any]) -> list[tuple[str, Compared]]:
    """Every figure with a goal, by cell."""
    return [
        (name, compared(figure, cell["real"], cell["simulated"])) for name, cell in cells.items() for figure in JUDGED
    ]


def _verdict(cells: dict[str, Any]) -> str:
    rows = judged(cells)
    missed = [f"{name} {row.name.replace('_', ' ')}" for name, row in rows if not row.meets]
    return (
        f"{len(rows) - len(missed)} of {len(rows)} meet the goal"
        + (f"; not: {', '.join(missed)}" if missed else "")
        + ".\n\n"
    )


def _table(cells: dict[str, Any], figures: tuple[tuple[str, str, Format], ...], *, errors: bool) -> str:
    heads = ["cell"]
    for _, title, _ in figures:
        heads += [f"{title}, real", "simulated"] + (["error", "goal"] if errors else [])
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, cell in cells.items():
        fields = [f"`{name}`"]
        for figure, _, form in figures:
            row = compared(figure, cell["real"], cell["simulated"])
            fields += [_real(row, form), _told(row.simulated, form)]
            if errors:
                fields[-1] += _range([run[figure] for run in cell["chance"]], form)
                fields += [_error(row), _goal(row)]
        lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines) + "\n\n"


def _told(value: float | None, form: Format) -> str:
    return "not in every run" if value is None else form(value)


def _real(row: Compared, form: Format) -> str:
    if row.real is None or row.real_low is None or row.real_high is None:
        return "not in every run"
    return form(row.real) + _range([row.real_low, row.real_high], form)


def _range(values: list[float], form: Format) -> str:
    return f" ({form(min(values))} to {form(max(values))})"


def _error(row: Compared) -> str:
    if row.error is None:
        return "-"
    text = f"{row.error * 100:+.1f} points" if row.absolute else f"{row.error:+.0%}"
    return text + (", within the real spread" if row.within_spread else "")


def _goal(row: Compared) -> str:
    return "met" if row.meets else "missed"


def _constants(constants: dict[str, Any]) -> str:
    lines = [
        "| measured by the probe | boot, CPU | boot, beyond its CPU | CPU of an empty request |",
        "|---|---|---|---|",
    ]
    for kind, one in constants["servers"].items():
        figures = (one["boot_cpu_seconds"], one["boot_wait_seconds"], one["overhead_cpu_seconds"])
        lines.append(f"| `{kind}` | " + " | ".join(f"{value * 1e3:.1f} ms" for value in figures) + " |")
    return (
        "\n".join(lines)
        + f"\n\nOn {constants['cores']:g} cores, {constants['fork_seconds'] * 1e3:.1f} ms for each fork. The load"
        f" generator shares them: {constants['generator_cpu_seconds'] * 1e3:.2f} ms of CPU for each request, and"
        f" {constants['arbiter_cores']:.3f} cores for the arbiter, are taken off the simulated cores. A tick"
        f" comes every {constants['tick_seconds'] * 1e3:.1f} ms.\n\n"
    )


def _conditions(results: dict[str, Any]) -> str:
    machine = results["machine"]
    runs = [run for cell in results["cells"].values() for run in cell["real"]]
    quiet = results["quiet_cores"]
    disturbed = sum(run["others_cores"] > quiet for run in runs)
    late = max(run["lateness_p99_seconds"] for run in runs)
    return (
        f"Taken {results['taken'][:10]} on {machine['cpu']}, {machine['python']}, gunicorn {machine['gunicorn']},"
        f" {len(runs)} real runs. The sender was at most {late * 1e3:.0f} ms late (p99 of a run). A run beside which"
        f" others used more than {quiet:g} cores was made again, up to {TRIES} times; {disturbed} stayed disturbed,"
        " and their figures are worth little. Again: `make bench-calibrate`.\n"
    )
