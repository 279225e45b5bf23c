"""How far it is: a bar with the time left on a terminal, a line for each run elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.contest.jobs import Job

BAR_CELLS = 24


class Progress:
    """Writes to stderr, so that results can be piped."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._bar = sys.stderr.isatty()

    def show(self, made: int, total: int, seconds_left: float, job: Job) -> None:
        """Before a run."""
        text = f"{bar(made, total)} {made}/{total}, {left(seconds_left)}: {named(job)}"
        if self._bar:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        else:
            self._tell(text)

    def told(self, job: Job, found: dict[str, Any]) -> None:
        """After a run: its figures in a line."""
        self.tell(f"{named(job)}: {in_a_line(found)}")

    def tell(self, text: str) -> None:
        """A line of its own."""
        self.end()
        self._tell(text)

    def end(self) -> None:
        """Leave the bar's line."""
        if self._bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def bar(made: int, total: int) -> str:
    """`[#####.......]`."""
    cells = BAR_CELLS * made // max(1, total)
    return "[" + "#" * cells + "." * (BAR_CELLS - cells) + "]"


def left(seconds: float) -> str:
    """`12 min left, until 14:03`."""
    until = time.strftime("%H:%M", time.localtime(time.time() + seconds))
    return f"{max(1, round(seconds / 60))} min left, until {until}"


def named(job: Job) -> str:
    """The run in words."""
    front = ", by Locust" if job.closed else f", nginx over {job.front}" if job.front else ""
    return f"{job.workload.name}, {job.contender.name}{front}, " + (f"seed {job.seed}" if job.seed else "sweep")


def in_a_line(found: dict[str, Any]) -> str:
    """What a person wants to see go by."""
    figures = found["figures"]
    if "label" in figures:
        return f"{figures['label']}: {figures['requests_per_second']} requests/s, p95 {figures['p95_seconds']} s"
    p95 = figures["p95_seconds"]
    text = (
        f"late {figures['late_50_share']:.1%} / {figures['late_250_share']:.1%}, failed {figures['failed']}, p95 "
        + ("never" if p95 is None else f"{p95 * 1e3:.0f} ms")
    )
    if "back_seconds" in figures:
        back = figures["back_seconds"]
        text += ", never back" if back is None else f", back in {back:.2f} s"
    text += f", workers {figures['mean_workers']:.1f}, {figures['gb_seconds'] or 0:.1f} GB s"
    return text if found["valid"] else f"{text}; NOT VALID: {found['why']}"
