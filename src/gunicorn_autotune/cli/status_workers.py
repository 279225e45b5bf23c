"""The worker table of `status`: one line for each process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gunicorn_autotune.cli.gaps import Gaps
from gunicorn_autotune.cli.style import Style, bar, bytes_text, count_text, seconds_text, table
from gunicorn_autotune.model.snapshot import WorkerState

HEAD = ("slot", "pid", "state", "busy", "queued", "held", "requests", "rss", "uss", "age", "longest")
LEFT = frozenset({2, 3})
BAR_CELLS = 5
MOST_THREADS_FOR_A_BAR = 64
"""An event loop takes a thousand requests: a bar of that would always look empty."""
COLOURS = {"busy": "green", "booting": "yellow", "draining": "yellow"}


def worker_lines(document: Mapping[str, Any], style: Style, gaps: Gaps) -> list[str]:
    """Head and rows, by slot."""
    workers = sorted(document["workers"], key=lambda worker: worker["slot"])
    if not workers:
        return [style.paint("red", "No worker process runs.")]
    rows = [_row(worker, document, style, gaps) for worker in workers]
    head, *lines = table([HEAD, *rows], LEFT)
    return [style.paint("dim", head), *(_painted(line, row[2], style) for line, row in zip(lines, rows, strict=True))]


def _painted(line: str, state: str, style: Style) -> str:
    return line.replace(state, style.paint(COLOURS[state], state), 1) if state in COLOURS else line


def _row(worker: Mapping[str, Any], document: Mapping[str, Any], style: Style, gaps: Gaps) -> tuple[str, ...]:
    age = max(0.0, document["time"] - worker["spawned_unix_seconds"])
    return (
        str(worker["slot"]),
        str(worker["pid"]),
        gaps.show("state", _state(worker), str),
        _busy(worker, document["threads"], style, gaps),
        gaps.show("queued", worker["queued"], lambda it: count_text(it) if it else "-"),
        gaps.show("held", worker.get("held", 0), lambda it: count_text(it) if it else "-"),
        gaps.show("requests", worker["requests"], count_text),
        gaps.show("rss", worker["rss_bytes"], bytes_text),
        gaps.show("uss", worker["uss_bytes"], bytes_text),
        seconds_text(age),
        gaps.show("longest running request", worker["oldest_request_seconds"], _longest),
    )


def _state(worker: Mapping[str, Any]) -> Any:
    """Ready and not seen to be busy or idle: for the reason for which its requests are not seen."""
    return worker["in_flight"] if worker["state"] == WorkerState.UNKNOWN.value else worker["state"]


def _busy(worker: Mapping[str, Any], threads: int, style: Style, gaps: Gaps) -> str:
    shown = gaps.show("busy", worker["in_flight"], str)
    in_flight = worker["in_flight"]
    if not isinstance(in_flight, int) or threads > MOST_THREADS_FOR_A_BAR:
        return shown
    return f"{bar(style, in_flight / threads, BAR_CELLS)} {in_flight}/{threads}"


def _longest(seconds: float) -> str:
    return seconds_text(seconds) if seconds else "-"
