"""Every cell with every seed, real and simulated in turns, told as it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.calibration.cells import Cell
from benchmarks.calibration.compare import JUDGED
from benchmarks.calibration.observed import Observed, figures, first_look_seconds
from benchmarks.calibration.others import wait_for_quiet
from benchmarks.calibration.probe import Constants
from benchmarks.calibration.real import real_run
from benchmarks.calibration.simulated import simulated_run
from benchmarks.calibration.timeline import timeline

QUIET_CORES = 0.03
"""A run beside which others used more of the machine is made again."""
TRIES = 3
START_AND_STOP_SECONDS = 5.0
LOOKS = 8
"""Other moments for the simulator's ticks, to tell how much of any error is chance."""
PLOTTED = "step"
"""The cell whose first seed is kept over time."""

Tell = Callable[[str], None]


def run_cells(
    cells: Sequence[Cell], seeds: Sequence[int], constants: Constants, tell: Tell, patience_seconds: float = 0.0
) -> Iterator[dict[str, Any]]:
    """After each cell the part of the results document that it makes, so that an interrupt costs one cell only."""
    left = sum(cell.seconds + START_AND_STOP_SECONDS for cell in cells) * len(seeds)
    for cell in cells:
        document: dict[str, Any] = {"constants": asdict(constants)}
        one: dict[str, Any] = {"title": cell.title, "seeds": list(seeds), "real": [], "simulated": [], "chance": []}
        for seed in seeds:
            tell(f"{cell.name}, seed {seed}; {_minutes(left)} left if nobody disturbs")
            measured = quiet_run(cell, seed, tell, patience_seconds)
            predicted = simulated_run(cell, seed, constants, first_look_seconds(measured))
            for name, run in (("real", measured), ("simulated", predicted)):
                one[name].append(plain(figures(run)))
                tell(f"    {name:9} {told(one[name][-1])}")
            one["chance"] += chance(cell, seed, constants)
            left -= cell.seconds + START_AND_STOP_SECONDS
            if cell.name == PLOTTED and seed == seeds[0]:
                document["timelines"] = {"real": timeline(measured), "simulated": timeline(predicted)}
        yield document | {"cells": {cell.name: one}}


def chance(cell: Cell, seed: int, constants: Constants) -> list[dict[str, float | None]]:
    """The judged figures of the simulator when its ticks fall otherwise, spread evenly over a tick."""
    looks = [constants.tick_seconds * number / LOOKS for number in range(LOOKS)]
    found = [plain(figures(simulated_run(cell, seed, constants, look))) for look in looks]
    return [{name: one[name] for name in JUDGED} for one in found]


def quiet_run(
    cell: Cell, seed: int, tell: Tell, patience_seconds: float, run: Callable[[Cell, int], Observed] = real_run
) -> Observed:
    """The first run that others left alone, or of TRIES the one they disturbed least."""
    runs: list[Observed] = []
    while len(runs) < TRIES:
        if patience_seconds and not wait_for_quiet(QUIET_CORES, patience_seconds):
            tell("    the machine does not become quiet; going on")
        runs.append(run(cell, seed))
        if runs[-1].others_cores <= QUIET_CORES:
            break
        tell(f"    others used {runs[-1].others_cores:.2f} cores meanwhile")
    return min(runs, key=lambda one: one.others_cores)


def plain(values: dict[str, float]) -> dict[str, float | None]:
    """For JSON: five significant digits, None for never."""
    return {name: float(f"{value:.5g}") if math.isfinite(value) else None for name, value in values.items()}


def told(values: dict[str, float | None]) -> str:
    """One line."""
    back = values["back_seconds"]
    return (
        f"late {values['late_share']:.2%}, slow {values['slow_share']:.2%}, workers {values['mean_workers']:.1f},"
        f" p95 {(values['p95_response_seconds'] or math.inf) * 1e3:.0f} ms, actions {values['actions']:.0f}, back "
        + ("never" if back is None else f"{back:.2f} s")
    )


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)} min until {time.strftime('%H:%M', time.localtime(time.time() + seconds))}"
