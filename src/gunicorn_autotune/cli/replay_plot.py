"""A replay as pictures: panels for the SVG, strips for the terminal."""

from __future__ import annotations

import time

from gunicorn_autotune.cli import chart
from gunicorn_autotune.cli.plot import Panel, Points, Series, svg
from gunicorn_autotune.cli.replayed import Replay
from gunicorn_autotune.cli.style import WIDEST, Style
from gunicorn_autotune.model.readings import Limit, Missing, Unlimited

FEWEST_CELLS = 20


def panels(replayed: Replay) -> list[Panel]:
    """Workers, arrivals and backlog: one unit a panel."""
    lines = series(replayed)
    return [
        Panel("workers", "", [Series(name, lines[name]) for name in ("target then", "target now", "demand then")]),
        Panel("arrivals", "requests per second", [Series("arrivals", lines["arrivals"])]),
        Panel("backlog", "connections that wait", [Series("backlog", lines["backlog"])]),
    ]


def picture(replayed: Replay) -> str:
    """The SVG."""
    server = replayed.flight.header.server
    settings = ", ".join(f"{name}={both['now']}" for name, both in replayed.changed_settings.items())
    day = time.strftime("%Y-%m-%d", time.localtime(replayed.turns[0].unix_seconds))
    title = f"gunicorn {server.get('gunicorn', '?')} {server.get('worker_class', '')}, {day}, local time"
    return svg(panels(replayed), title=title + (f"; now with {settings}" if settings else ""), label=clock)


def strips(replayed: Replay, style: Style) -> list[str]:
    """The same for a terminal."""
    lines = series(replayed)
    cells = max(FEWEST_CELLS, (style.width or WIDEST) - chart.MARGIN)
    top = max(value or 0.0 for name in ("target then", "target now") for _, value in lines[name])
    drawn = []
    names = ("target then", "target now") if replayed.different else ("target then",)
    for name in (*names, "demand then", "backlog"):
        drawn += chart.strip(name, lines[name], cells, style, top if name.startswith("target") else None)
    seconds = [turn.unix_seconds for turn in replayed.turns]
    if replayed.different:
        drawn.append(chart.flags("differs", seconds, [turn.differs for turn in replayed.turns], cells).rstrip())
    first, last = clock(seconds[0]), clock(seconds[-1])
    return [*drawn, " " * chart.MARGIN + first + last.rjust(cells - len(first))]


def series(replayed: Replay) -> dict[str, Points]:
    """Every line, by its name."""
    turns = replayed.turns
    return {
        "target then": [(turn.unix_seconds, turn.then.target) for turn in turns],
        "target now": [(turn.unix_seconds, turn.now.target) for turn in turns],
        "demand then": [(turn.unix_seconds, _number(turn.then.demand)) for turn in turns],
        "arrivals": [(turn.unix_seconds, turn.then.facts.get("arrivals_per_second")) for turn in turns],
        "backlog": [(turn.unix_seconds, _number(turn.backlog)) for turn in turns],
    }


def clock(unix_seconds: float) -> str:
    """Local time, to the second."""
    return time.strftime("%H:%M:%S", time.localtime(unix_seconds))


def _number(reading: Limit[float]) -> float | None:
    return None if isinstance(reading, (Missing, Unlimited)) else reading
