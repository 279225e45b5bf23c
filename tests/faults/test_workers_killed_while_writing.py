"""Workers are killed while they write their rows; the figures stay true."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
KILLS = 8
COUNTERS = ("_total", "_count", "_sum", "_bucket")
DIE_BETWEEN_TWO_STORES = """
import os, signal
from itertools import pairwise
from pathlib import Path
from gunicorn_autotune.scoreboard import recorder
search = recorder.bisect_left
def bisect_left(bounds, duration):
    try:
        os.rename("die", "died")
    except FileNotFoundError:
        return search(bounds, duration)
    os.kill(os.getpid(), signal.SIGKILL)
recorder.bisect_left = bisect_left
"""
"""The bucket is searched after the cell was cleared and before the request is counted: there the worker dies."""


def _counters(server: Server) -> dict[str, float]:
    """Every sample of /metrics that may never go down."""
    samples = [line.rsplit(" ", 1) for line in server.exporter("/metrics")[1].splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in samples if name.split("{")[0].endswith(COUNTERS)}


def _kill_one(server: Server, workers: int) -> dict[str, float]:
    """Kill a busy worker if there is one, wait for its replacement, read the counters."""
    pids = server.wait_for_ready(workers)
    victim = next(iter(server.pids("busy")), pids[0])
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in server.pids(), "the victim's end to be seen")
    return _counters(server)


def test_no_counter_goes_down_and_only_requests_inside_the_killed_are_lost(tmp_path: Path) -> None:
    """Busy workers are killed one after another: at most one request each fails, and every counter only rises."""
    with serving(tmp_path, "workers = 3", min_workers=3, max_workers=3) as server:
        with steady(server, "/sleep?s=0.01", requests_per_second=150) as load:
            readings = [_counters(server)] + [_kill_one(server, 3) for _ in range(KILLS)]
        killed = wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="signal"}') == KILLS, "all exits")
        server.wait_for_ready(3)
    falls = [
        (name, before[name], after.get(name))
        for before, after in pairwise(readings)
        for name in before
        if after.get(name, -1.0) < before[name]
    ]

    assert (falls, len(load.failed) <= KILLS, killed) == ([], True, True), load.failed


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_death_between_two_stores_leaves_nothing_in_flight(worker_class: str, tmp_path: Path) -> None:
    """The slot of a worker that died half-way through its row is used again, idle, and the server goes on."""
    config = f"worker_class = {worker_class!r}\nthreads = 1\n{DIE_BETWEEN_TWO_STORES}"
    with serving(tmp_path, config, max_workers=2) as server:
        server.wait_for_ready(2)
        with steady(server) as load:
            (tmp_path / "die").touch()
            wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="signal"}') == 1, "the death")
            load.answered(20)
        server.wait_for_ready(2)
        idle = wait_for(lambda: server.metric("gunicorn_requests_in_progress") == 0, "nothing in flight")
        figures = {worker["slot"] for worker in server.status()["workers"]}, server.status()["mode"]

    assert (idle, figures, len(load.failed) <= 1) == (True, ({0, 1}, "active"), True), load.failed
