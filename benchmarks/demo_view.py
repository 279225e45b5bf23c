"""What the demo shows, as text: a chart that grows, or a line per second, each decision in words, and the summary.

Pure but for the two classes at the end, which print it.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

EIGHTHS = " ▁▂▃▄▅▆▇█"
SLOW_SECONDS = 0.25
P95_TOP_SECONDS = 1.0
WORKER_ROWS = 4
LEFT, RIGHT = 9, 10
LEAST_COLUMNS, LEAST_LINES = 76, 24
BOLD, DIM, RED, GREEN, YELLOW, CYAN, PLAIN = "1", "2", "31", "32", "33", "36", ""


@dataclass(frozen=True)
class Second:
    """One second of a run, as its clients saw it."""

    at: int
    offered: int
    """Requests that were due in it."""
    workers: int
    target: int | None
    """None without autotune."""
    waiting: int
    """The most requests at one time that no worker had begun."""
    p95_seconds: float | None
    """Of the requests answered in it."""
    failed: int


@dataclass
class Part:
    """One of the runs the demo compares: its name, its planned length, and the seconds so far."""

    title: str
    length: int
    seconds: list[Second] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """A decision that changed the worker count, at seconds of its run."""

    at: float
    record: dict[str, Any]


def words(record: dict[str, Any]) -> str:
    """Why a decision was made: its reason, and the figures behind it."""
    facts = record["facts"]
    work = ""
    if facts.get("arrivals_per_second") and facts.get("service_seconds"):
        busy = facts["arrivals_per_second"] * facts["service_seconds"]
        work = f"{facts['arrivals_per_second']:.0f}/s x {facts['service_seconds'] * 1000:.0f} ms = {busy:.1f} busy"
    said = {
        "backlog": _and(f"{facts.get('backlog', 0):.0f} requests wait", work),
        "all_busy": _and("no worker is free", work),
        "demand": _and("nobody waits yet", work),
        "load_fell": _and("fewer suffice", work),
        "below_min": "fewer than min_workers",
        "above_max": "more than max_workers",
        "memory": "memory reaches into the reserve",
        "cpu": "the cores cannot feed so many",
        "queue_time": _and("bursts between two looks wait too long", work),
        "probe": _and("enough by the figures, but requests wait: a few more are tried", work),
        "recycle": "a worker is replaced",
        "drain_first": "a worker is replaced, without room for both",
        "oom_kill": "the kernel killed for memory",
        "no_gain": "more workers did not raise throughput",
        "boot_failed": "a new worker could not start",
    }
    return f"{record['reason']}: {said.get(record['reason'], work or 'see docs/how-it-decides.md')}"


def _and(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def change_line(change: Change, first: Change | None = None, steps: int = 1) -> str:
    """`12.3 s  grow    2 -> 18  backlog: 29 requests wait, ...`; `first` begins a row of `steps` like it."""
    record = change.record
    since = (first or change).record["from"]
    many = f"in {steps} steps, " if steps > 1 else ""
    return f"{change.at:5.1f} s  {record['action']:<8} {since:>2} -> {record['to']:<2}  {many}{words(record)}"


def change_lines(changes: Sequence[Change]) -> list[str]:
    """A line each, but one for all shrinks in a row: down goes in many small steps."""
    groups: list[list[Change]] = []
    for change in changes:
        if groups and change.record["action"] == "shrink" == groups[-1][0].record["action"]:
            groups[-1].append(change)
        else:
            groups.append([change])
    return [change_line(group[-1], group[0], len(group)) for group in groups]


def ms(seconds: float | None) -> str:
    """104 ms, 2.9 s, or a dash."""
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def second_line(second: Second, most_workers: int) -> str:
    """One second as one line, the workers as a bar."""
    bar = ("█" * second.workers)[:most_workers].ljust(most_workers, "·")
    target = f", target {second.target:2d}" if second.target is not None else ""
    failed = f"  failed {second.failed}" if second.failed else ""
    return (
        f"{second.at:3d} s {second.offered:4d}/s  {bar} {f'{second.workers:2d} workers{target}':<21}"
        f"  waiting {second.waiting:3d}  p95 {ms(second.p95_seconds):>7}{failed}"
    )


def paint(text: str, colour: str, on: bool) -> str:
    """`text` in a colour where colours are on."""
    return f"\x1b[{colour}m{text}\x1b[0m" if on and colour and text else text


def column(value: float, top: float, rows: int) -> list[str]:
    """One bar of the chart, top row first; anything above zero shows."""
    eighths = min(rows * 8, max(1, round(rows * 8 * value / top))) if value > 0 and top > 0 else 0
    return [EIGHTHS[min(8, max(0, eighths - 8 * row))] for row in reversed(range(rows))]


def stretched(seconds: Sequence[Second], by: int) -> list[Second]:
    """Every `by` seconds as one, by their maxima."""
    if by == 1:
        return list(seconds)
    groups = [seconds[first : first + by] for first in range(0, len(seconds), by)]
    return [
        Second(
            group[0].at,
            max(s.offered for s in group),
            max(s.workers for s in group),
            group[-1].target,
            max(s.waiting for s in group),
            max((s.p95_seconds for s in group if s.p95_seconds is not None), default=None),
            max(s.failed for s in group),
        )
        for group in groups
    ]


@dataclass(frozen=True)
class Row:
    """One figure of the chart: a bar for each second, and its last value in figures."""

    name: str
    value: Callable[[Second], float]
    top: float
    tell: Callable[[Second], str]
    colour: Callable[[Second], str]
    rows: int = 1
    dots: bool = False
    """Zero is a dot: nothing happened, and time went by."""


def workers_told(second: Second) -> str:
    """`18`, or `18 of 20` where a target is known."""
    return str(second.workers) if second.target is None else f"{second.workers} of {second.target}"


def figures(parts: Sequence[Part], most_workers: int) -> list[Row]:
    """The figures of the chart, each scaled over all parts."""
    seen = [second for part in parts for second in part.seconds]
    most_waiting = max([second.waiting for second in seen] + [8])
    most_offered = max([second.offered for second in seen] + [1])
    return [
        Row("offered", lambda s: s.offered, most_offered, lambda s: f"{s.offered} /s", lambda s: PLAIN),
        Row("workers", lambda s: s.workers, most_workers, workers_told, lambda s: GREEN, WORKER_ROWS),
        Row(
            "waiting", lambda s: s.waiting, most_waiting, lambda s: str(s.waiting),
            lambda s: YELLOW if s.waiting else DIM, dots=True,
        ),
        Row(
            "p95", lambda s: min(s.p95_seconds or 0, P95_TOP_SECONDS), P95_TOP_SECONDS, lambda s: ms(s.p95_seconds),
            lambda s: RED if (s.p95_seconds or 0) > SLOW_SECONDS else PLAIN, dots=True,
        ),
        Row("failed", lambda s: s.failed, max(most_offered, 1), lambda s: f"{s.failed} /s",
            lambda s: RED if s.failed else DIM, dots=True),
    ]  # fmt: skip


def chart(parts: Sequence[Part], most_workers: int, columns: int, colour: bool) -> list[str]:
    """All parts side by side, a column a second (or every few, where the terminal is narrow)."""
    room = columns - LEFT - RIGHT - len(parts) + 1
    by = max(1, math.ceil(sum(part.length for part in parts) / room))
    widths = [max(1, math.ceil(part.length / by)) for part in parts]
    shown = [stretched(part.seconds, by)[:width] for part, width in zip(parts, widths, strict=True)]
    titles = " ".join(part.title[:width].ljust(width) for part, width in zip(parts, widths, strict=True))
    lines = [" " * LEFT + paint(titles.rstrip(), BOLD, colour)]
    for row in figures(parts, most_workers):
        lines += _chart_row(row, shown, widths, colour)
    axes = " ".join(_axis(width, by) for width in widths)
    lines.append(paint(f"{'seconds':<{LEFT}}{axes}", DIM, colour))
    return lines


def _chart_row(row: Row, shown: Sequence[Sequence[Second]], widths: Sequence[int], colour: bool) -> list[str]:
    lines = [f"{row.name:<{LEFT}}"] + [" " * LEFT] * (row.rows - 1)
    for seconds, width in zip(shown, widths, strict=True):
        for second in seconds:
            value = row.value(second)
            for index, mark in enumerate(column(value, row.top, row.rows)):
                dot = row.dots and value <= 0
                lines[index] += paint("·" if dot else mark, DIM if dot else row.colour(second), colour)
        lines = [line + " " * (width - len(seconds) + 1) for line in lines]
    last = next((seconds[-1] for seconds in reversed(shown) if seconds), None)
    if last is not None:
        lines[-1] += paint(row.tell(last), BOLD, colour)
    return lines


def _axis(width: int, by: int) -> str:
    marks = [f"{place * by:<10}" if width - place >= 3 else "" for place in range(0, width, 10)]
    return "".join(marks)[:width].ljust(width)


def panel(
    heading: str, parts: Sequence[Part], changes: Sequence[Change], most_workers: int, columns: int, lines: int,
    colour: bool,
) -> list[str]:  # fmt: skip
    """The whole picture: heading, chart and the newest decisions that fit."""
    picture = [heading, "", *chart(parts, most_workers, columns, colour), ""]
    room = max(1, lines - len(picture) - 1)
    told = ["  " + line[: columns - 2] for line in change_lines(changes)][-room:]
    return picture + told[:-1] + [paint(line, CYAN, colour) for line in told[-1:]]


class Lines:
    """A line per second and per decision, for a pipe, a file or a small terminal."""

    def __init__(self, out: TextIO, most_workers: int) -> None:
        self.out, self.most_workers = out, most_workers

    def begin(self, part: Part, heading: str) -> None:
        """A run begins."""
        self._say("", heading)

    def second(self, second: Second) -> None:
        """A second of it is over."""
        self._say(second_line(second, self.most_workers))

    def change(self, change: Change) -> None:
        """A decision was made."""
        self._say("  >>> " + change_line(change))

    def end(self, heading: str) -> None:
        """Nothing more to draw."""

    def _say(self, *texts: str) -> None:
        for text in texts:
            print(text, file=self.out, flush=True)


class Screen:
    """The panel, drawn again in place each second and with each decision."""

    def __init__(self, out: TextIO, most_workers: int, parts: Sequence[Part], colour: bool) -> None:
        self.out, self.most_workers, self.parts, self.colour = out, most_workers, parts, colour
        self.changes: list[Change] = []
        self.heading = ""
        self._part: Part | None = None
        self._drawn = 0

    def begin(self, part: Part, heading: str) -> None:
        """A run begins: its seconds go to `part`."""
        self._part, self.heading = part, heading
        self._draw()

    def second(self, second: Second) -> None:
        """A second of it is over."""
        if self._part is not None:
            self._part.seconds.append(second)
        self._draw()

    def change(self, change: Change) -> None:
        """A decision was made."""
        self.changes.append(change)
        self._draw()

    def end(self, heading: str) -> None:
        """The last picture stays."""
        self.heading = heading
        self._draw()

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        picture = panel(
            self.heading, self.parts, self.changes, self.most_workers, min(size.columns, 120) - 1, size.lines - 1,
            self.colour,
        )  # fmt: skip
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        self.out.write(up + "".join(line + "\x1b[K\n" for line in picture) + "\x1b[J")
        self.out.flush()
        self._drawn = len(picture)


def view(out: TextIO, most_workers: int, parts: Sequence[Part], environment: dict[str, str]) -> Lines | Screen:
    """The panel on a terminal that is large enough and not dumb, else lines."""
    size = shutil.get_terminal_size()
    fits = size.columns >= LEAST_COLUMNS and size.lines >= LEAST_LINES
    if not out.isatty() or not fits or environment.get("TERM", "dumb") == "dumb" or out is not sys.stdout:
        return Lines(out, most_workers)
    return Screen(out, most_workers, parts, colour="NO_COLOR" not in environment)


@dataclass(frozen=True)
class Outcome:
    """One line of the summary."""

    name: str
    sent: int
    failed: int
    p95_seconds: float | None
    fewest: int
    most: int
    worker_seconds: float


def outcome_table(outcomes: Sequence[Outcome]) -> list[str]:
    """The summary's table."""
    lines = [f"{'':<28}{'requests':>9}{'failed':>8}{'p95':>8}{'workers':>10}{'worker-seconds':>16}"]
    for one in outcomes:
        workers = str(one.most) if one.fewest == one.most else f"{one.fewest} to {one.most}"
        lines.append(
            f"{one.name:<28}{one.sent:>9,}{one.failed:>8,}{ms(one.p95_seconds):>8}{workers:>10}"
            f"{one.worker_seconds:>16,.0f}"
        )
    return lines


def changes_told(changes: Sequence[Change]) -> str:
    """`11 changes: 3 up, 8 down`."""
    up = sum(change.record["to"] > change.record["from"] for change in changes)
    return f"{len(changes)} changes: {up} up, {len(changes) - up} down"
