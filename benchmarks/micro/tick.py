"""What one tick costs the arbiter: reading rows, /proc, cgroup and listener, deciding, publishing.

Every worker runs a request and a queue stands, so a tick has all to do. Ticks run 20 ms apart by the real clock and a
quarter of a second apart by the clock the runtime is shown: the caches are as cold as in life (a quarter of a second
apart the same was measured), and the law has its half minute of history. Back to back, with warm caches, they cost
little more than half of it; that figure is there to compare with a profile.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.micro.harness import TIMED_MODULES, Arbiter, Clock, arbiter, told_time
from benchmarks.micro.options import Options, Tell
from benchmarks.micro.report import CaseResult, Goal, Measured

from gunicorn_autotune.runtime import ticker
from gunicorn_autotune.scoreboard import layout

GOALS_MS = {8: 0.5, 32: 1.0, 128: 4.0}
TICK_SECONDS = 0.25
APART_SECONDS = 0.02
WARM_TICKS = 160
"""More than the law's half minute."""
WAITING = 5
STAGES = {"sense": (ticker.sensing, "look"), "decide": (ticker, "_decide"), "publish": (ticker, "_publish")}


@dataclass
class Times:
    """Seconds of each tick, and of its stages."""

    full: list[float] = field(default_factory=list)
    """Ticks that published; in between, ticks sense and decide only."""
    others: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})


def measure(options: Options, tell: Tell) -> CaseResult:
    """Milliseconds for each worker count."""
    measured: list[Measured] = []
    details: dict[str, Any] = {}
    for count, goal_ms in GOALS_MS.items():
        count = options.some(count, 2 + count // 32)
        tell(f"{count} workers")
        with arbiter(count) as server, told_time(*TIMED_MODULES) as clock:
            busy(server, clock)
            times = run(server, clock, options.some(300, 5), APART_SECONDS)
            measured.append(row(f"one tick, {count} workers", times, Goal(goal_ms)))
            times = run(server, clock, options.some(300, 5), 0.0)
            measured.append(row(f"one tick, {count} workers, back to back", times, None))
            if goal_ms == max(GOALS_MS.values()):
                details["profile"] = profile(server, clock, options.some(100, 5))
                tell(f"where the time goes, {count} workers:\n{details['profile']}")
    return CaseResult(tuple(measured), details=details)


def row(what: str, times: Times, goal: Goal | None) -> Measured:
    """One line: the whole tick, and the median of each stage in the note."""
    split = ", ".join(f"{name} {median(values) * 1e3:.2f}" for name, values in times.stages.items() if values)
    note = f"medians: {split} ms"
    if times.others:
        note += f"; {len(times.others)} more ticks did not publish and took {median(times.others) * 1e3:.2f}"
    return Measured(what, "ms", tuple(t * 1e3 for t in times.full), goal, note=note)


def busy(server: Arbiter, clock: Clock) -> None:
    """Every worker runs a request and a few connections wait."""
    for one in server.WORKERS.values():
        one.autotune.row[layout.CELLS] = clock.monotonic_ns()
    server.waiting = [socket.create_connection(server.LISTENERS[0].sock.getsockname()) for _ in range(WAITING)]


def run(server: Arbiter, clock: Clock, ticks: int, apart_seconds: float) -> Times:
    """So many ticks, after enough to fill the law's history."""
    for _ in range(WARM_TICKS):
        one_tick(server, clock)
    with stages_timed() as times:
        for _ in range(ticks):
            time.sleep(apart_seconds)
            published = len(times.stages["publish"])
            began = time.perf_counter()
            one_tick(server, clock)
            seconds = time.perf_counter() - began
            (times.full if len(times.stages["publish"]) > published else times.others).append(seconds)
    check(server)
    return times


def one_tick(server: Arbiter, clock: Clock) -> None:
    """A tick a quarter of a second later; what it decides is not carried out, the count stays."""
    clock.now += TICK_SECONDS
    count = len(server.WORKERS)
    ticker.tick(server, server.autotune)
    server.num_workers = count


def check(server: Arbiter) -> None:
    """A tick that failed is quick, and no measurement."""
    errors = server.autotune.tally.errors
    if errors.total() or server.autotune.board.status() is None:
        raise RuntimeError(f"ticks failed: {dict(errors)}")


@contextmanager
def stages_timed() -> Iterator[Times]:
    """The stages of a tick with a stopwatch around each."""
    times = Times()
    with ExitStack() as undo:
        for name, (module, function) in STAGES.items():
            original = getattr(module, function)
            undo.callback(setattr, module, function, original)
            setattr(module, function, stopwatch(original, times.stages[name]))
        yield times


def stopwatch(function: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    """The function, its seconds noted."""

    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            into.append(time.perf_counter() - began)

    return timed


def profile(server: Arbiter, clock: Clock, ticks: int, lines: int = 25) -> str:
    """cProfile's table of so many ticks, by own time (which it inflates for small functions)."""
    for _ in range(WARM_TICKS):
        one_tick(server, clock)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(ticks):
        one_tick(server, clock)
    profiler.disable()
    out = io.StringIO()
    pstats.Stats(profiler, stream=out).strip_dirs().sort_stats("tottime").print_stats(lines)
    return out.getvalue()
