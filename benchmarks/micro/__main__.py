"""python -m benchmarks.micro [--only NAME]."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.micro import arbiter_idle, machine, memory, record, scrape, step, throughput, tick
from benchmarks.micro.options import OUT, Options, Tell
from benchmarks.micro.report import CaseResult, plain, table

CASES: dict[str, Callable[[Options, Tell], CaseResult]] = {
    "record": record.measure,
    "throughput": throughput.measure,
    "tick": tick.measure,
    "arbiter_idle": arbiter_idle.measure,
    "scrape": scrape.measure,
    "memory": memory.measure,
    "step": step.measure,
}
QUIET_LOAD = 0.3


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.micro",
        description="What one request, one tick and one scrape cost, and what a step in load does.",
        epilog="Also writes benchmarks/out/micro.json, case by case. Exit code 0 whatever the verdicts, 1 when a case "
        "could not run.",
    )
    line.add_argument("--only", action="append", choices=list(CASES), metavar="NAME", help=", ".join(CASES))
    line.add_argument("--repeats", type=int, default=3, metavar="N", help="runs of each server in `step` (default: 3)")
    line.add_argument("--quick", action="store_true", help="see that it runs; the figures are worth nothing")
    line.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    told = parser().parse_args(arguments)
    if told.repeats < 1:
        parser().error(f"--repeats = {told.repeats}, must be at least 1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers and workers are ended on the way out
    facts = machine.describe()
    if os.getloadavg()[0] > QUIET_LOAD:
        tell(f"load average {os.getloadavg()[0]:.1f}: something else runs here, and it will be in the figures")
    results: dict[str, CaseResult] = {}
    try:
        for name in told.only or CASES:
            results[name] = run(name, Options(told.repeats, told.quick))
    except KeyboardInterrupt:
        tell("interrupted")
        return 130
    taken = {"taken": datetime.now(timezone.utc).isoformat(timespec="seconds"), "machine": facts}
    document = {name: taken | plain(result) for name, result in results.items()}
    save(document, OUT / ("micro-quick.json" if told.quick else "micro.json"))
    print(json.dumps(document, indent=1) if told.json else table(results, facts))
    return 1 if any(result.skipped and not result.measured for result in results.values()) else 0


def run(name: str, options: Options) -> CaseResult:
    """One case; what it raises becomes the reason why it was not measured."""
    began, load = time.monotonic(), os.getloadavg()[0]
    try:
        result = CASES[name](options, lambda line: tell(f"{name}: {line}"))
    except Exception as error:
        tell(f"{name}: failed, {type(error).__name__}: {error}")
        result = CaseResult((), skipped=f"{type(error).__name__}: {error}")
    seconds = time.monotonic() - began
    return CaseResult(
        result.measured, result.commands, result.skipped, seconds, (load, os.getloadavg()[0]), result.details
    )


def save(document: dict[str, Any], path: Path) -> None:
    """Write the cases of this run, and keep what other runs wrote of other cases."""
    path.parent.mkdir(exist_ok=True)
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        before = {}
    path.write_text(json.dumps(before | document, indent=1) + "\n")


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"micro: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
