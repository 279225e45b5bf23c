"""The example site for a long time, with days, reloads and scrapes: does anything grow?"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.demo_server import EXAMPLE_APP
from benchmarks.faults.arithmetic import Point, answered, slope, warm
from benchmarks.faults.measure import SETTLE_SECONDS, counted, ready_workers, tally
from benchmarks.faults.options import Options, Tell
from benchmarks.faults.sender import Sender
from benchmarks.faults.server import Running, Setup, serving
from benchmarks.faults.watch import Looks, samples_in, watching
from benchmarks.openloop import Request, Target

from gunicorn_autotune.testing.load import day

DAY_MINUTES = 30.0
LOW, PEAK = 5.0, 60.0
PAGES = ("/io?ms=100", "/io?ms=50", "/io?ms=100", "/cpu?ms=10")
RECORD_BYTES = 1 << 20
"""The least there is, so that the record is turned over during the soak."""
SCRAPE_SECONDS, PROCESSES_SECONDS, RELOAD_SECONDS = 5.0, 10.0, 600.0
QUICK_MINUTES = 1.5
MOST_MINUTES = 24 * 60.0
SERIES = {
    "arbiter_fds": "arbiter, open files", "arbiter_threads": "arbiter, threads",
    "arbiter_rss_bytes": "arbiter, RSS", "arbiter_uss_bytes": "arbiter, USS",
    "exporter_fds": "exporter, open files", "exporter_threads": "exporter, threads",
    "exporter_rss_bytes": "exporter, RSS", "exporter_uss_bytes": "exporter, USS",
    "dev_shm_bytes": "/dev/shm, all of this machine's use", "flight_record_bytes": "flight record",
}  # fmt: skip
CHILDREN = "children"
BOUNDED = {"flight_record_bytes": RECORD_BYTES}
"""What may grow up to a bound."""


def minutes_of(options: Options) -> float:
    """Of the load."""
    return QUICK_MINUTES if options.quick else options.soak_minutes


def minutes(options: Options) -> float:
    """What the cell takes."""
    return minutes_of(options) + 0.2


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """One server from beginning to end."""
    seconds = minutes_of(options) * 60.0
    reload_every = min(RELOAD_SECONDS, seconds / 3.0)
    tell(f"soak: {seconds / 60.0:.0f} min, a reload each {reload_every:.0f} s")
    settings = {"min_workers": 2, "max_workers": 16, "flight_record": "flight", "flight_record_bytes": RECORD_BYTES}
    made = Setup((), settings, {}, app="wsgi:app", directory=EXAMPLE_APP, path="/healthz", notes=False)
    with serving(options.python, made) as running:
        found = soaked(running, seconds, reload_every, tell)
    shown = {"seconds": seconds, "reload_every_seconds": reload_every, "pages": list(PAGES), "low": LOW, "peak": PEAK}
    return made.told() | shown | found


def soaked(running: Running, seconds: float, reload_every: float, tell: Tell) -> dict[str, Any]:
    """Figures, the growth of each series, and the series thinned for a picture."""
    port = running.server.metrics_port
    looks = Looks(
        port, running.server.pid, status_every=1.0, scrape_every=SCRAPE_SECONDS, processes_every=PROCESSES_SECONDS,
        record=str(running.folder / "flight"), reload_every=reload_every,
    )  # fmt: skip
    before = tally(port)
    with watching(looks, running.folder) as seen:
        began = time.monotonic()
        requests = asyncio.run(driven(running.target, seconds, tell))
        ended = time.monotonic()
        time.sleep(SETTLE_SECONDS)
        samples = samples_in(seen.read_text())
    found = answered(requests, None) | counted(before, tally(port)) | ready_workers("", samples, began, ended)
    found |= {"reloads": sum("reload" in one for one in samples), "scrapes": sum("scraped_bytes" in s for s in samples)}
    found["failed_scrapes"] = [one["scrape_failed"] for one in samples if "scrape_failed" in one]
    lines = {name: points(samples, name, began) for name in (*SERIES, CHILDREN)}
    children = lines[CHILDREN]
    grown = {name: growth(line, children if name.startswith("arbiter_") else ()) for name, line in lines.items()}
    return found | {"growth": grown, "series": lines}


async def driven(target: Target, seconds: float, tell: Tell) -> tuple[Request, ...]:
    """The days one after the other, each with a list of records of its own."""
    requests: list[Request] = []
    for number in itertools.count():
        left = seconds - number * DAY_MINUTES * 60.0
        if left < 1.0:
            return tuple(requests)
        moments = moments_of(min(left, DAY_MINUTES * 60.0), number)
        requests += await Sender(target, moments, tell, paths=PAGES).drive()
    return tuple(requests)


def moments_of(seconds: float, seed: int) -> list[float]:
    """A whole day in so many seconds, Poisson arrivals."""
    return day(round(seconds), peak=PEAK, low=LOW).arrivals(random.Random(seed))


def points(samples: Sequence[dict[str, Any]], name: str, began: float) -> list[Point]:
    """(seconds, value) of one series, holes kept."""
    return [(round(one["at"] - began, 1), one[name]) for one in samples if name in one]


def grows(name: str, found: dict[str, Any]) -> bool:
    """A rising slope; for what is bounded, more than the bound."""
    if name in BOUNDED:
        return bool(found["most"] > BOUNDED[name])
    return not found["flat"] and bool(found["per_hour"] > 0)


def growth(line: Sequence[Point], children: Sequence[Point] = ()) -> dict[str, Any] | None:
    """The slope after the first third, as plain data; None when too little was seen.

    The arbiter keeps files open for each of its children, so its figures are taken with their number held equal.
    """
    rest = warm(line)
    found = slope(rest, [count or 0.0 for _, count in children[len(line) - len(rest) :]])
    if found is None:
        return None
    known = [value for _, value in rest if value is not None]
    return {
        "first": known[0], "last": known[-1], "most": max(known), "mean": round(found.mean, 1),
        "per_hour": round(found.per_hour, 2), "error_per_hour": round(found.error_per_hour, 2), "flat": found.flat,
    }  # fmt: skip
