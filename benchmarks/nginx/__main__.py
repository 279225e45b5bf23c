"""python -m benchmarks.nginx [--cells race,scale,...] [--take] [--quick] [--json] [--page]."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from benchmarks.faults.options import NotRunError
from benchmarks.faults.proxy import binary
from benchmarks.faults.report import text
from benchmarks.micro import machine
from benchmarks.nginx import gain, kept, page, race, recycle, retry, scale, share, verify
from benchmarks.nginx.options import Options, installed
from benchmarks.nginx.tables import tables

CELLS: dict[str, Any] = {
    "race": race, "scale": scale, "recycle": recycle, "share": share, "verify": verify, "gain": gain,
    "retry": retry,
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.nginx",
        description="What users get through nginx. Real servers, load on loopback only.",
        epilog="The plan and its minutes are printed first. Exit code 0 whatever the figures, 1 when a cell could not "
        "run, 130 when interrupted: servers are stopped then, and the cells that had ended are kept.",
    )
    line.add_argument("--cells", default=",".join(CELLS), metavar="NAME[,...]", help=f"of {', '.join(CELLS)} (all)")
    line.add_argument("--take", action="store_true", help="keep in benchmarks/results/nginx.json, write the page")
    line.add_argument(
        "--page", action="store_true", help="write docs/nginx-measured.md from what was kept, run nothing"
    )
    line.add_argument("--note", default="", help="kept with the figures, such as what disturbed the run")
    line.add_argument("--json", action="store_true", help="print JSON instead of tables")
    line.add_argument("--quick", action="store_true", help="about a tenth of everything, and said so on the page")
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan, run, print; with --take keep."""
    line = parser()
    told = line.parse_args(arguments)
    if told.page:
        page.write()
        return 0
    cells = list(dict.fromkeys(told.cells.split(",")))
    if unknown := [name for name in cells if name not in CELLS]:
        line.error(f"--cells = {','.join(unknown)}, must be of {', '.join(CELLS)}")
    try:
        options = Options(*installed(), quick=told.quick)
    except NotRunError as error:
        line.error(str(error))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are ended on the way out
    plan(cells, options)
    document, code = run_cells(cells, options, told)
    print(json.dumps(document, indent=1) if told.json else report(document))
    return code


def run_cells(cells: Sequence[str], options: Options, told: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """One after the other, each kept as it ends where that was told; the exit code."""
    document: dict[str, Any] = {"cells": {}}
    code = 0
    try:
        for name in cells:
            part = one_cell(name, options) | {"command": command(name, told), "note": told.note}
            document = kept.joined(document, name, part)
            code = max(code, int("not_run" in part))
            if told.take:
                kept.write(kept.joined(kept.read(), name, part))
                page.write()
    except KeyboardInterrupt:
        tell("interrupted")
        code = 130
    return document, code


def command(cell: str, told: argparse.Namespace) -> str:
    """To do this cell again."""
    return shlex.join(["python", "-m", "benchmarks.nginx", "--cells", cell, *["--quick"] * told.quick, "--take"])


def plan(cells: Sequence[str], options: Options) -> None:
    """What will run, and how long that takes."""
    each = {name: CELLS[name].seconds(options) / 60.0 for name in cells}
    words = ", ".join(f"{name} {minutes:.1f} min" for name, minutes in each.items())
    total = sum(each.values())
    end = time.strftime("%H:%M", time.localtime(time.time() + total * 60.0))
    tell(f"gunicorn {', '.join(options.pythons)}: {words}; together about {total:.0f} min, until {end}")
    if options.missing:
        tell(f"not installed: gunicorn {', '.join(options.missing)}")
    if os.getloadavg()[0] > 0.3:
        tell(f"load average {os.getloadavg()[0]:.1f}: something else runs here, and it will be in the figures")


def one_cell(name: str, options: Options) -> dict[str, Any]:
    """One cell with where and when; what it lacks becomes the reason why there are no figures."""
    began, load = time.monotonic(), os.getloadavg()[0]
    about = {
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe() | {"gunicorn": options.newest, "nginx": nginx_version()},
        "quick": options.quick,
    }
    try:
        found = CELLS[name].run(options, tell)
    except (NotRunError, OSError) as error:
        tell(f"{name}: not run: {error}")
        found = {"not_run": str(error)}
    after = {"took_seconds": round(time.monotonic() - began, 1), "load_averages": [load, os.getloadavg()[0]]}
    return about | found | after


def nginx_version() -> str:
    """`1.22.1`, or why it is not known."""
    try:
        told = subprocess.run([binary(), "-v"], capture_output=True, text=True, timeout=10, check=False)
    except NotRunError:
        return "not installed"
    found = re.search(r"nginx/(\S+)", told.stderr)
    return found[1] if found else "unknown version"


def report(document: dict[str, Any]) -> str:
    """Every table, then the goals."""
    lines: list[str] = []
    for cell, part in document["cells"].items():
        if "not_run" in part:
            lines += [f"{cell}: not run: {part['not_run']}", ""]
        else:
            lines += [line for table in tables(cell, part) for line in text(table)]
    goals = page.goal_table(document["cells"])
    return "\n".join(lines + (text(goals) if goals.rows else [])).rstrip()


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"nginx: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
