"""The example app under a load that goes calm, busy, calm: first plain Gunicorn, then with gunicorn-autotune.

    python -m benchmarks.demo

Ends by itself within 90 seconds. Needs what the `[example]` extra installs; loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.demo_load import Load, read_status
from benchmarks.demo_server import NotStartedError, Server, gunicorn
from benchmarks.demo_view import (
    SLOW_SECONDS,
    Change,
    Lines,
    Outcome,
    Part,
    Screen,
    Second,
    changes_told,
    ms,
    outcome_table,
    view,
)
from benchmarks.openloop import Phase, Request, Run, parse_target, summarise, time_back_under
from benchmarks.openloop.results import percentile

CALM_RATE, BUSY_RATE = 10, 120
REQUEST_MS = 100
PATIENCE_SECONDS = 3.0
MIN_WORKERS, MAX_WORKERS = 2, 24
STATIC_CALM_SECONDS = 2
LONGEST_SECONDS = 82
WATCH_SECONDS, STATUS_EVERY = 0.05, 5
AUTOTUNE = {
    "min_workers": MIN_WORKERS,
    "max_workers": MAX_WORKERS,
    # Five minutes and one by default: a demo cannot wait that long to give workers back.
    "scale_down_window_seconds": 8,
    "calm_seconds": 4,
}


@dataclass(frozen=True)
class Plan:
    """How many seconds of what."""

    static: int
    calm: int
    busy: int
    after: int

    @property
    def static_length(self) -> int:
        """Of the run without autotune, the patience of its last client included; 0 for none."""
        return STATIC_CALM_SECONDS + self.static + int(PATIENCE_SECONDS) if self.static else 0

    @property
    def length(self) -> int:
        """Of the run with autotune."""
        return self.calm + self.busy + self.after


@dataclass
class Seen:
    """What a run left behind."""

    run: Run | None = None
    changes: list[Change] = field(default_factory=list)
    samples: list[tuple[float, int]] = field(default_factory=list)
    """(seconds, worker processes), oldest first."""

    def workers(self, begin: float, end: float) -> list[int]:
        """The counts seen in a span."""
        return [count for at, count in self.samples if begin <= at < end] or [MIN_WORKERS]

    def worker_seconds(self, begin: float, end: float) -> float:
        """Worker processes times how long they were there."""
        counts = self.workers(begin, end)
        return sum(counts) / len(counts) * (end - begin)


class Watcher:
    """Looks at one run while it lasts and tells the view."""

    def __init__(self, load: Load, server: Server, shown: Lines | Screen) -> None:
        self.load, self.server, self.shown = load, server, shown
        self.seen = Seen()
        self.workers = MIN_WORKERS
        self.target: int | None = MIN_WORKERS if server.metrics_port else None
        self.waiting = 0
        self._known: set[tuple[float, int]] = set()
        self._began_unix = 0.0

    async def watch(self, length: int) -> Seen:
        """Until the load and `length` seconds are over."""
        driving = asyncio.ensure_future(self.load.drive())
        await asyncio.sleep(0)
        self._began_unix = time.time() - self.load.now()
        reading: asyncio.Future[dict[str, Any] | None] | None = None
        turn = second = 0
        try:
            while second < length or not driving.done():
                await asyncio.sleep(WATCH_SECONDS)
                turn += 1
                if self.server.process.poll() is not None:
                    raise NotStartedError(f"it ended during the run:\n{self.server.log_tail()}")
                if reading is not None and reading.done():
                    self._take(reading.result())
                    reading = None
                if self.server.metrics_port and reading is None and turn % STATUS_EVERY == 0:
                    reading = asyncio.ensure_future(read_status(self.server.metrics_port))
                self.seen.samples.append((self.load.now(), self.workers))
                self.waiting = max(self.waiting, self.load.unanswered - self.workers)
                if second < length and self.load.now() >= second + 1:
                    self._second(second)
                    second += 1
            self.seen.run = await driving
        finally:
            for task in (driving, reading):
                if task is not None:
                    task.cancel()
        return self.seen

    def _take(self, status: dict[str, Any] | None) -> None:
        if status is None:
            return
        self.workers, self.target = len(status["workers"]), status["target"]
        for record in status["recent_decisions"]:
            key = (record["time"], record["to"])
            if key not in self._known:
                self._known.add(key)
                self.seen.changes.append(Change(max(0.0, record["time"] - self._began_unix), record))
                self.shown.change(self.seen.changes[-1])

    def _second(self, at: int) -> None:
        ended, self.load.fresh = self.load.fresh, []
        answered = sorted(request.latency_seconds for request in ended if request.failure is None)
        offered = sum(at <= moment < at + 1 for moment in self.load.moments)
        failed = len(ended) - len(answered)
        p95 = percentile(answered, 0.95)
        self.shown.second(Second(at, offered, self.workers, self.target, max(0, self.waiting), p95, failed))
        self.waiting = 0


def watched(server: Server, phases: Sequence[Phase], length: int, shown: Lines | Screen) -> Seen:
    """One run against one server."""

    async def both() -> Seen:
        target = parse_target(f"http://127.0.0.1:{server.port}/io?ms={REQUEST_MS}")
        return await Watcher(Load(target, phases, PATIENCE_SECONDS), server, shown).watch(length)

    return asyncio.run(both())


def demo(plan: Plan) -> None:
    """Both runs and the summary."""
    static = Part(f"workers = {MIN_WORKERS}", plan.static_length)
    tuned = Part(f"gunicorn-autotune, {MIN_WORKERS} to {MAX_WORKERS} workers", plan.length)
    parts = [static, tuned] if plan.static else [tuned]
    shown = view(sys.stdout, MAX_WORKERS, parts, dict(os.environ))
    print(
        f"Example app: each request waits {REQUEST_MS} ms, so a worker serves {1000 // REQUEST_MS} a second.\n"
        f"Calm is {CALM_RATE}/s, busy {BUSY_RATE}/s; a client gives up after {PATIENCE_SECONDS:g} s."
        f" Takes {plan.static_length + plan.length + 3} s; Ctrl-C ends it."
    )
    if isinstance(shown, Screen):
        print(f"Full bars are the largest value seen, of p95 1 s (red: over {ms(SLOW_SECONDS)}); a dot is 0.\n")
    before = Seen()
    if plan.static:
        with gunicorn([f"workers = {MIN_WORKERS}", "preload_app = True"]) as server:
            shown.begin(static, f"Now: plain Gunicorn, workers = {MIN_WORKERS}")
            phases = [Phase(CALM_RATE, STATIC_CALM_SECONDS), Phase(BUSY_RATE, plan.static)]
            before = watched(server, phases, static.length, shown)
    with gunicorn([f"workers = {MIN_WORKERS}", "preload_app = True"], AUTOTUNE) as server:
        shown.begin(tuned, f"Now: the same app, the same {MIN_WORKERS} workers, with gunicorn-autotune")
        phases = [Phase(CALM_RATE, plan.calm), Phase(BUSY_RATE, plan.busy), Phase(CALM_RATE, plan.after)]
        after = watched(server, phases, tuned.length, shown)
    shown.end("Done. What both runs looked like:" if plan.static else "Done. What the run looked like:")
    print("\n".join(["", *summary(plan, before, after)]))


def outcome(name: str, seen: Seen, begin: float, end: float) -> Outcome:
    """The requests that were due in a span, and the workers meanwhile."""
    due = [request for request in requests_of(seen) if begin <= request.scheduled_seconds < end]
    answered = sorted(request.latency_seconds for request in due if request.failure is None)
    workers = seen.workers(begin, end)
    return Outcome(
        name, len(due), len(due) - len(answered), percentile(answered, 0.95), min(workers), max(workers),
        seen.worker_seconds(begin, end),
    )  # fmt: skip


def requests_of(seen: Seen) -> tuple[Request, ...]:
    """The run's requests."""
    return seen.run.requests if seen.run is not None else ()


def summary(plan: Plan, before: Seen, after: Seen) -> list[str]:
    """What came out, what a fixed count would have cost, and how much it is worth."""
    compared = min(plan.static, plan.busy)
    rows = []
    if plan.static:
        begin = STATIC_CALM_SECONDS
        rows.append(outcome(f"first {compared} s busy, workers = {MIN_WORKERS}", before, begin, begin + compared))
        rows.append(outcome(f"first {compared} s busy, autotune", after, plan.calm, plan.calm + compared))
    rows.append(outcome(f"all {plan.length} s, autotune", after, 0, plan.length))
    busy_end = plan.calm + plan.busy
    until_calm = [request for request in requests_of(after) if request.scheduled_seconds < busy_end]
    return [
        *outcome_table(rows),
        "",
        told_back(time_back_under(until_calm, SLOW_SECONDS, plan.calm), plan.calm),
        f"{changes_told(after.changes)}. A fixed workers = {MAX_WORKERS} is fast enough too, and takes"
        f" {MAX_WORKERS * plan.length:,} worker-seconds.",
        f"One short run, the load on the same {os.cpu_count()} cores. With repeats and rivals: make bench-micro",
        *told_late(before, after),
    ]


def told_late(*runs: Seen) -> list[str]:
    """A line when the generator measured itself, not the server."""
    if all(summarise(seen.run)["valid"] for seen in runs if seen.run is not None):
        return []
    return ["The load generator was late (p99 over 50 ms): the machine was too busy, trust no figure above."]


def told_back(back: float | None, calm: int) -> str:
    """How long after the step the p95 was back in bounds."""
    if back == calm:
        return f"p95 stayed under {ms(SLOW_SECONDS)} through the step from {CALM_RATE}/s to {BUSY_RATE}/s."
    if back is None:
        return f"p95 did not come back under {ms(SLOW_SECONDS)} while busy."
    return f"p95 back under {ms(SLOW_SECONDS)} {back - calm:.1f} s after the step from {CALM_RATE}/s to {BUSY_RATE}/s."


def parse(arguments: Sequence[str] | None) -> Plan:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=(__doc__ or "").partition("\n")[0])
    line.add_argument("--static", type=int, default=6, metavar="SECONDS", help="busy without autotune, 0: skip it (6)")
    line.add_argument("--calm", type=int, default=6, metavar="SECONDS", help="calm before (default: 6)")
    line.add_argument("--busy", type=int, default=16, metavar="SECONDS", help="busy (default: 16)")
    line.add_argument("--after", type=int, default=44, metavar="SECONDS", help="calm after (default: 44)")
    told = line.parse_args(arguments)
    plan = Plan(told.static, told.calm, told.busy, told.after)
    if min(told.static, told.after) < 0 or min(told.calm, told.busy) < 1:
        line.error("--calm and --busy take at least 1 second, --static and --after at least 0")
    if plan.static_length + plan.length > LONGEST_SECONDS:
        line.error(f"that is {plan.static_length + plan.length} s of load, must be at most {LONGEST_SECONDS}")
    return plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when it ran, 1 when a server did not, 130 when interrupted."""
    plan = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # servers are ended on the way out
    try:
        demo(plan)
    except NotStartedError as error:
        print(f"\ndemo: Gunicorn failed, {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted, the servers are stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
