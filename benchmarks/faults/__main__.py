"""python -m benchmarks.faults [--cells leak,recycle,suite] [--take] [--json] [--quick] [--gunicorn PYTHON] [--page]."""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.faults import kept, leak, page, recycle, report, soak, suite, vm
from benchmarks.faults.chaos import cell as chaos
from benchmarks.faults.options import NotRunError, Options, gunicorn_of
from benchmarks.micro import machine

CELLS: dict[str, Any] = {"leak": leak, "recycle": recycle, "suite": suite, "soak": soak, "chaos": chaos, "vm": vm}
DEFAULT = ("leak", "recycle", "suite")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description="What users keep when workers leak, are recycled or die. Real servers, load on loopback only.",
        epilog="The plan and its minutes are printed first. Exit code 0 whatever the figures, 1 when a cell could not "
        "run or the accounts of chaos do not balance, 130 when interrupted: servers are stopped then, and the cells "
        "that had ended are kept.",
    )
    line.add_argument("--cells", default=",".join(DEFAULT), metavar="NAME[,...]",
                      help=f"of {', '.join(CELLS)} (default: {','.join(DEFAULT)})")  # fmt: skip
    line.add_argument("--seconds", type=float, default=300.0, metavar="N", help="of each run of the leak (300)")
    line.add_argument("--recycles", type=int, default=500, metavar="N", help="about so many, ours and native (500)")
    line.add_argument("--minutes", type=float, default=30.0, metavar="N", help="of the soak, and of chaos (30)")
    line.add_argument("--seed", type=int, metavar="N", help="of the disturbances of chaos (default: drawn)")
    line.add_argument("--gunicorn", default=sys.executable, metavar="PYTHON", help="whose Gunicorn (default: this one)")
    line.add_argument("--take", action="store_true", help="keep in benchmarks/results/faults.json, write the page")
    line.add_argument("--page", action="store_true", help="write docs/reliability.md from what was kept, run nothing")
    line.add_argument("--note", default="", help="kept with the figures, such as what disturbed the run")
    line.add_argument("--json", action="store_true", help="print JSON instead of tables")
    line.add_argument("--quick", action="store_true", help="30 s a run: see that it works, worth little")
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan, run, print; with --take keep."""
    line = parser()
    told = line.parse_args(arguments)
    if told.page:
        page.write()
        return 0
    cells = checked(told, line)
    try:
        # Absolute, as servers start in folders of their own; not resolved, as a venv's Python is a link.
        python = str(Path(shutil.which(told.gunicorn) or told.gunicorn).absolute())
        version = gunicorn_of(python)
    except NotRunError as error:
        line.error(str(error))
    if told.seed is None:
        told.seed = random.randrange(10_000)
    options = Options(python, version, told.seconds, told.recycles, told.minutes, told.seed, told.quick)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are ended on the way out
    plan(cells, options)
    document, code = run_cells(cells, options, told)
    print(json.dumps(document, indent=1) if told.json else report.report(document))
    return code


def run_cells(cells: Sequence[str], options: Options, told: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """One after the other, each kept as it ends where that was told; the exit code."""
    command = shlex.join(["python", "-m", "benchmarks.faults", *without_paths(told)])
    document: dict[str, Any] = {"cells": {}}
    code = 0
    try:
        for name in cells:
            part = one_cell(name, options) | {"command": command, "note": told.note}
            document = kept.joined(document, name, options.gunicorn, part)
            code = max(code, int("not_run" in part or bool(part.get("violations"))))
            if told.take:
                kept.write(kept.joined(kept.read(), name, options.gunicorn, part))
                page.write()
    except KeyboardInterrupt:
        tell("interrupted")
        code = 130
    return document, code


def checked(told: argparse.Namespace, line: argparse.ArgumentParser) -> list[str]:
    """The cells, if all that was told makes sense; else a line about it, and the end."""
    cells = list(dict.fromkeys(told.cells.split(",")))
    if unknown := [name for name in cells if name not in CELLS]:
        line.error(f"--cells = {','.join(unknown)}, must be of {', '.join(CELLS)}")
    if not 5 <= told.seconds <= 3600:
        line.error(f"--seconds = {told.seconds:g}, must be from 5 to 3600")
    if not 1 <= told.recycles <= 5000:
        line.error(f"--recycles = {told.recycles}, must be from 1 to 5000")
    if not 1 <= told.minutes <= soak.MOST_MINUTES:
        line.error(f"--minutes = {told.minutes:g}, must be from 1 to {soak.MOST_MINUTES:.0f}")
    if told.quick and told.take:
        line.error("--take = on, must not go with --quick: such figures are worth little")
    return cells


def without_paths(told: argparse.Namespace) -> list[str]:
    """The command line to print beside the figures; the interpreter is named by its Gunicorn's version there."""
    words = ["--cells", told.cells, "--take"]
    for name, default in (("seconds", 300.0), ("recycles", 500), ("minutes", 30.0)):
        if getattr(told, name) != default:
            words += [f"--{name}", f"{getattr(told, name):g}"]
    if "chaos" in told.cells.split(","):
        words += ["--seed", str(told.seed)]
    return words if told.take else words[:2] + words[3:]


def plan(cells: Sequence[str], options: Options) -> None:
    """What will run, and how long that takes."""
    each = {name: CELLS[name].minutes(options) for name in cells}
    total = sum(each.values())
    words = ", ".join(f"{name} {minutes:.0f} min" for name, minutes in each.items())
    end = time.strftime("%H:%M", time.localtime(time.time() + total * 60.0))
    tell(f"gunicorn {options.gunicorn}: {words}; together about {total:.0f} min, until {end}")
    if os.getloadavg()[0] > 0.3:
        tell(f"load average {os.getloadavg()[0]:.1f}: something else runs here, and it will be in the figures")


def one_cell(name: str, options: Options) -> dict[str, Any]:
    """One cell with where and when; what it lacks becomes the reason why there are no figures."""
    began, load = time.monotonic(), os.getloadavg()[0]
    about = {
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe() | {"gunicorn": options.gunicorn},
        "quick": options.quick,
    }
    try:
        found = CELLS[name].run(options, tell)
    except (NotRunError, OSError) as error:
        tell(f"{name}: not run: {error}")
        found = {"not_run": str(error)}
    after = {"took_seconds": round(time.monotonic() - began, 1), "load_averages": [load, os.getloadavg()[0]]}
    return about | found | after


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"faults: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
