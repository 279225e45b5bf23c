"""A step in load: 10 requests a second, then 150 of 100 ms each, every one on a new connection, open loop.

The same example app behind every server, in the same run, one after the other, again and again. A request that has
no answer after PATIENCE_SECONDS has failed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.demo_server import NotStartedError, Server, gunicorn
from benchmarks.micro import proc, uwsgi
from benchmarks.micro.options import Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured, figure
from benchmarks.micro.venv import NotBuiltError
from benchmarks.openloop import Phase, parse_target, run, summarise, time_back_under

PATH = "/io?ms=100"
CALM, BUSY = Phase(10, 10), Phase(150, 30)
PATIENCE_SECONDS = 10.0
GOOD_SECONDS = 0.25
SAMPLE_SECONDS = 0.25
MIN_WORKERS, MAX_WORKERS = 2, 40
OURS = "autotune, 2 to 40 sync"
PRELOAD = "preload_app = True"
SETTINGS = {"min_workers": MIN_WORKERS, "max_workers": MAX_WORKERS}
GUNICORNS: dict[str, tuple[list[str], dict[str, Any] | None]] = {
    OURS: ([f"workers = {MIN_WORKERS}", PRELOAD], SETTINGS),
    "static 5 sync": (["workers = 5", PRELOAD], None),
    "static 3x4 gthread": (["workers = 3", "threads = 4", "worker_class = 'gthread'", PRELOAD], None),
}
UWSGIS = {
    "uWSGI busyness, 2 to 40": uwsgi.BUSYNESS,
    "uWSGI busyness, 2 to 40, set for speed": (*uwsgi.BUSYNESS, *uwsgi.FASTER),
}


@dataclass
class Outcome:
    """The runs of one server: a list entry each."""

    sent: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    p95_seconds: list[float] = field(default_factory=list)
    slowest_seconds: list[float] = field(default_factory=list)
    """The slowest answer; what got none is not in it, nor in p95."""
    back_seconds: list[float] = field(default_factory=list)
    """From the step until p95 stays under GOOD_SECONDS; infinite for never."""
    most_workers: list[int] = field(default_factory=list)
    worker_seconds: list[float] = field(default_factory=list)
    late: list[bool] = field(default_factory=list)
    """Whether the load generator was late, which is no fault of the server."""


def measure(options: Options, tell: Tell) -> CaseResult:
    """Every server `repeats` times, in turns."""
    servers = {name: lambda told=told: gunicorn(*told) for name, told in GUNICORNS.items()}
    skipped = []
    try:
        uwsgi.build(tell)
        servers |= {name: lambda told=told: uwsgi.serving(told) for name, told in UWSGIS.items()}
    except NotBuiltError as error:
        skipped.append(f"uWSGI could not be built here: {error}")
    outcomes = {name: Outcome() for name in servers}
    repeats = options.some(options.repeats, 1)
    for repeat in range(repeats):
        for name, start in list(servers.items()):
            try:
                one_run(start, outcomes[name], options.quick)
            except NotStartedError as error:
                skipped.append(f"{name}: {str(error).splitlines()[-1].strip()}")
                del servers[name], outcomes[name]
            else:
                tell(f"{repeat + 1} of {repeats}: {name}: {told_run(outcomes[name])}")
    return CaseResult(
        tuple(row for name, outcome in outcomes.items() for row in rows(name, outcome, outcomes)),
        (
            *(f"{name}: gunicorn, {'; '.join(lines)}, autotune {told}" for name, (lines, told) in GUNICORNS.items()),
            *(f"{name}: {' '.join(uwsgi.command('127.0.0.1:0', told))}" for name, told in UWSGIS.items()),
            f"python -m benchmarks.openloop http://127.0.0.1:PORT{PATH} --rate 10:10,150:30"
            f" --timeout {PATIENCE_SECONDS:g} --back-under {GOOD_SECONDS}",
        ),
        skipped="; ".join(skipped),
        details={name: vars(outcome) | {"back_seconds": [b if math.isfinite(b) else None for b in outcome.back_seconds]}
                 for name, outcome in outcomes.items()},
    )  # fmt: skip


def one_run(start: Callable[[], AbstractContextManager[Server]], outcome: Outcome, quick: bool) -> None:
    """Start it, load it, end it, and note what happened."""
    calm, busy = (Phase(10, 1), Phase(150, 1)) if quick else (CALM, BUSY)
    with start() as server:
        summary, back, samples = asyncio.run(load(server, calm, busy))
    outcome.sent.append(summary["sent"])
    outcome.failed.append(summary["failed"])
    outcome.p95_seconds.append(summary["latency_seconds"]["p95"] or math.inf)
    outcome.slowest_seconds.append(summary["latency_seconds"]["max"] or math.inf)
    outcome.back_seconds.append(math.inf if back is None else back - calm.seconds)
    outcome.most_workers.append(max(samples))
    outcome.worker_seconds.append(sum(samples) * SAMPLE_SECONDS)
    outcome.late.append(not summary["valid"])


async def load(server: Server, calm: Phase, busy: Phase) -> tuple[dict[str, Any], float | None, list[int]]:
    """The summary, when all was well again, and how many workers there were every SAMPLE_SECONDS."""
    target = parse_target(f"http://127.0.0.1:{server.port}{PATH}")
    samples: list[int] = []
    watching = asyncio.ensure_future(watch(server, samples))
    try:
        result = await run(target, (calm, busy), timeout_seconds=PATIENCE_SECONDS)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    scheduled = round((calm.seconds + busy.seconds) / SAMPLE_SECONDS)
    return summarise(result), time_back_under(result.requests, GOOD_SECONDS, calm.seconds), samples[:scheduled]


async def watch(server: Server, samples: list[int]) -> None:
    """Count the workers: all children."""
    while True:
        samples.append(len(proc.children(server.pid)))
        await asyncio.sleep(SAMPLE_SECONDS)


def seconds_told(seconds: float) -> str:
    """`1.97 s`, or `never`."""
    return figure(seconds) if math.isinf(seconds) else f"{figure(seconds)} s"


def told_run(outcome: Outcome) -> str:
    """The latest run in one line."""
    return (
        f"sent {outcome.sent[-1]}, failed {outcome.failed[-1]}, p95 {figure(outcome.p95_seconds[-1])} s, "
        f"back under {GOOD_SECONDS:g} s: {seconds_told(outcome.back_seconds[-1])}, "
        f"at most {outcome.most_workers[-1]} workers" + (", GENERATOR LATE" if outcome.late[-1] else "")
    )


def rows(name: str, outcome: Outcome, all_outcomes: dict[str, Outcome]) -> list[Measured]:
    """The table's rows of one server; the goals are ours alone."""
    ours = name == OURS
    others = "; ".join(
        f"{other} {seconds_told(median(one.back_seconds))}" for other, one in all_outcomes.items() if other != name
    )
    late = sum(outcome.late)
    note = f"{outcome.sent[0]:,} requests a run; at most {max(outcome.most_workers)} workers"
    note += f", {median(outcome.worker_seconds):,.0f} worker-seconds"
    if late:
        note += f"; the generator was late in {late} of {len(outcome.late)} runs, which makes every latency look worse"
    stayed = "" if any(outcome.back_seconds) else "0: the p95 of every half second from the step on stayed under it"
    return [
        Measured(f"{name}: failed", "requests", tuple(map(float, outcome.failed)),
                 Goal(0, every=True) if ours else None, note=note),
        Measured(f"{name}: p95 overall", "ms", tuple(seconds * 1e3 for seconds in outcome.p95_seconds)),
        Measured(f"{name}: slowest answer", "ms", tuple(seconds * 1e3 for seconds in outcome.slowest_seconds)),
        Measured(f"{name}: back under {GOOD_SECONDS * 1e3:.0f} ms", "s", tuple(outcome.back_seconds),
                 Goal(1.5) if ours else None, yardstick=others if ours else "", note=stayed),
    ]  # fmt: skip
