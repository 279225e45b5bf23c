"""The leak over time, for docs/reliability.md. Pure."""

from __future__ import annotations

from typing import Any

from benchmarks.faults import leak

from gunicorn_autotune.cli.plot import Panel, Points, Series, svg

NAMES = {leak.OURS: "autotune", leak.STATIC: "static 4", leak.MAX_REQUESTS: "static 4 with max_requests"}


def leak_picture(part: dict[str, Any]) -> str:
    """Memory of the group and ready workers, a second a point."""
    runs = {title: part["runs"][name]["timeline"] for name, title in NAMES.items()}
    limit = part["limit_bytes"] / 2**20
    memory = [Series(title, column(line, 1), steps=False) for title, line in runs.items()]
    memory.append(Series("limit", [(0.0, limit), (part["seconds_a_run"], limit)]))
    ready = [Series(title, column(line, 2)) for title, line in runs.items()]
    return svg(
        [Panel("memory of the server", "MiB", memory), Panel("ready workers, fewest in each second", "", ready)],
        title=f"An app that leaks, {part['requests_per_second']:g} requests/s, in {limit:.0f} MiB",
        label=lambda at: f"{at:g} s",
    )


def column(timeline: list[list[float | None]], at: int) -> Points:
    """One of its figures over time."""
    return [(row[0] or 0.0, row[at]) for row in timeline]
