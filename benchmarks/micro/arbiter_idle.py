"""CPU of an arbiter whose four workers have nothing to do, against bare Gunicorn's beside it."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.demo_server import gunicorn
from benchmarks.micro import proc
from benchmarks.micro.options import APPS, Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured

CONFIG = ["workers = 4"]
SETTINGS = {"min_workers": 4, "max_workers": 8}
SETTLE_SECONDS = 3.0


def measure(options: Options, tell: Tell) -> CaseResult:
    """Per cent of one core, in windows of five seconds."""
    windows, seconds = options.some(6, 2), options.some(5, 1)
    with (
        gunicorn(CONFIG, app="hello:app", directory=APPS, path="/") as bare,
        gunicorn(CONFIG, SETTINGS, app="hello:app", directory=APPS, path="/") as tuned,
    ):
        (exporter,) = proc.exporters(tuned.pid)
        watched = {"bare": bare.pid, "autotune": tuned.pid, "exporter": exporter}
        time.sleep(SETTLE_SECONDS if not options.quick else 0.5)
        shares: dict[str, list[float]] = {name: [] for name in watched}
        for window in range(windows):
            before = {name: proc.cpu_seconds(pid) for name, pid in watched.items()}
            began = time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - began
            for name, pid in watched.items():
                shares[name].append((proc.cpu_seconds(pid) - before[name]) / took * 100)
            tell(f"window {window + 1} of {windows}: " + ", ".join(f"{n} {s[-1]:.2f} %" for n, s in shares.items()))
    more = tuple(ours - bare for ours, bare in zip(shares["autotune"], shares["bare"], strict=True))
    return CaseResult(
        (
            Measured(
                "arbiter, 4 idle workers, above bare Gunicorn", "% of a core", more, Goal(0.5),
                yardstick=f"bare Gunicorn's arbiter: median {median(shares['bare']):.2f} %",
            ),
            Measured("exporter, not scraped", "% of a core", tuple(shares["exporter"])),
        ),
        (f"gunicorn ({'; '.join(CONFIG)}), with and without install(globals(), {SETTINGS}); schedstat of each thread",),
    )  # fmt: skip
