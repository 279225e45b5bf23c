"""python -m benchmarks.calibration [--cells io,step] [--seeds 1-3] [--take] [--json]."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.calibration import plots, probe
from benchmarks.calibration.cells import CELLS, shortened
from benchmarks.calibration.others import wait_for_quiet
from benchmarks.calibration.page import section
from benchmarks.calibration.runner import QUIET_CORES, run_cells
from benchmarks.micro import machine

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "calibration.json"
QUICK_SECONDS = 3.0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration",
        description="The simulator against real runs: the same arrivals and the same work for both.",
        epilog="Takes two minutes for the probe and about 75 s for each cell and seed. Decides nothing: exit code 0 "
        "whatever the errors.",
    )
    line.add_argument("--cells", default=",".join(CELLS), metavar="NAME[,...]", help=f"of {', '.join(CELLS)}")
    line.add_argument(
        "--seeds", default="1-3", metavar="FIRST-LAST", help="one run of each cell for each (default: 1-3)"
    )
    line.add_argument("--take", action="store_true", help="write benchmarks/results/calibration.json and the plots")
    line.add_argument("--note", default="", help="a line put before the figures, such as what disturbed the run")
    line.add_argument("--json", action="store_true", help="print JSON instead of the section of docs/evidence.md")
    line.add_argument("--quick", action="store_true", help="see that it runs; the figures are worth nothing")
    line.add_argument(
        "--patience", type=float, default=120.0, metavar="SECONDS",
        help="how long to wait, before each run, for others to leave the machine alone (default: 120)",
    )  # fmt: skip
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Probe, run, print; with --take keep."""
    told = checked(parser().parse_args(arguments))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are ended on the way out
    cells = [shortened(CELLS[name], QUICK_SECONDS) if told.quick else CELLS[name] for name in told.cells.split(",")]
    document: dict[str, Any] = {"machine": machine.describe(), "quiet_cores": QUIET_CORES, "note": told.note}
    try:
        if told.patience and not wait_for_quiet(QUIET_CORES, told.patience):
            tell("the machine does not become quiet; going on")
        constants = probe.measure(tell)
        for part in run_cells(cells, seeds_of(told.seeds), constants, tell, told.patience):
            document = joined(document, part | {"taken": datetime.now(timezone.utc).isoformat(timespec="seconds")})
            if told.take:
                document = taken(document)
    except KeyboardInterrupt:
        tell("interrupted")
        return 130
    print(json.dumps(document, indent=1) if told.json else section(document))
    return 0


def checked(told: argparse.Namespace) -> argparse.Namespace:
    """What was told, if it makes sense; else a line about it, and the end."""
    seeds_of(told.seeds)
    if unknown := [name for name in told.cells.split(",") if name not in CELLS]:
        parser().error(f"--cells = {','.join(unknown)}, must be of {', '.join(CELLS)}")
    if told.quick and told.take:
        parser().error("--take = on, must not go with --quick: such figures are worth nothing")
    return told


def seeds_of(text: str) -> list[int]:
    """`1-3` or `2`."""
    first, _, last = text.partition("-")
    if not first.isdigit() or (last and not last.isdigit()) or int(last or first) < int(first):
        parser().error(f"--seeds = {text}, must be FIRST-LAST, such as 1-3")
    return list(range(int(first), int(last or first) + 1))


def taken(document: dict[str, Any], results: Path = RESULTS) -> dict[str, Any]:
    """Kept beside what earlier runs took of other cells; the plots are drawn when there is something to draw."""
    try:
        before = json.loads(results.read_text())
    except (OSError, ValueError):
        before = {}
    document = joined(before, document)
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(document, separators=(",", ":")).replace(',"', ',\n"') + "\n")
    if "timelines" in document:
        plots.draw(document, ROOT / "docs")
    return document


def joined(before: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The newer of two documents, with the cells that only the older has."""
    return before | document | {"cells": before.get("cells", {}) | document["cells"]}


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"calibration: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
