"""Autotune at work behind nginx: what becomes of a server that needs more workers, and does the law misjudge any?

Behind nginx's defaults the new workers are idle for long. Whoever then asked whether they help would hear no, and take
them back (`no_gain`), though they were never tried.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Any

from benchmarks.faults.options import NotRunError, Tell
from benchmarks.faults.server import Running, Setup
from benchmarks.nginx.front import DEFAULTS, OURS, Pair
from benchmarks.nginx.options import Options
from benchmarks.nginx.share import counts_of, lines_of, loaded

PAIRS = {"ours": OURS, "defaults": DEFAULTS}
WORKERS, MAX_WORKERS = 2, 8
CLIENTS = 32
"""As many as four workers handle at once, and as nginx keeps."""
WAIT_SECONDS = 0.02
RUN_SECONDS, LAST_SECONDS = 30.0, 5.0
QUICK_SECONDS = 12.0
GROWN = re.compile(r"resize workers=\S+ action=grow")
MISJUDGED = re.compile(r"reason=no_gain")


def run_seconds(options: Options) -> float:
    """Of each run."""
    return QUICK_SECONDS if options.quick else RUN_SECONDS


def seconds(options: Options) -> float:
    """What the cell takes."""
    return len(PAIRS) * (run_seconds(options) + 4.0)


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Both pairs; one that cannot run says why."""
    runs: dict[str, dict[str, Any]] = {}
    for name, pair in PAIRS.items():
        tell(f"verify: {pair.title}, {run_seconds(options):.0f} s")
        try:
            found = one_run(options.python, pair, run_seconds(options))
        except NotRunError as error:
            found = {"not_run": str(error)}
        runs[name] = {"title": f"{pair.title}: {pair.told()}", **found}
        tell(f"    {found}")
    return {"workers": WORKERS, "max_workers": MAX_WORKERS, "clients": CLIENTS, "wait_seconds": WAIT_SECONDS,
            "seconds_a_run": run_seconds(options), "last_seconds": LAST_SECONDS, "runs": runs}  # fmt: skip


def one_run(python: str, pair: Pair, run_for: float) -> dict[str, Any]:
    """The last seconds, and every growth."""
    settings = {"min_workers": WORKERS, "max_workers": MAX_WORKERS}
    told = {"FAULTS_WAIT_SECONDS": str(WAIT_SECONDS)}
    made = Setup(lines_of("gthread", pair), settings, told, unix=True, notes=False)
    with loaded(python, made, pair, CLIENTS) as running:
        time.sleep(run_for - LAST_SECONDS)
        before = look(running)
        time.sleep(LAST_SECONDS)
        return figures(before, look(running), running.log)


def look(running: Running) -> dict[int, int]:
    """Requests by pid of every ready worker; NotRunError when the exporter does not answer."""
    for _ in range(10):
        with suppress(OSError, ValueError, KeyError):
            return dict(counts_of(running))
        time.sleep(0.1)
    raise NotRunError("/status.json does not answer")


def figures(before: dict[int, int], after: dict[int, int], log: str) -> dict[str, Any]:
    """What the workers served in between, and what the law said. Pure."""
    served = [count - before.get(pid, count) for pid, count in after.items()]
    return {
        "per_second": round(sum(served) / LAST_SECONDS, 1),
        "ready": len(served),
        "with_traffic": sum(count > 0 for count in served),
        "growths": len(GROWN.findall(log)),
        "misjudged": len(MISJUDGED.findall(log)),
    }
