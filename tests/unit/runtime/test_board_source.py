"""What the exporter reads out of the scoreboard."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from gunicorn_autotune.exporter.rows import Highest
from gunicorn_autotune.runtime import exporter_main
from gunicorn_autotune.runtime.exporter_main import BoardSource
from gunicorn_autotune.scoreboard import board, layout, recorder


def test_busy_time_does_not_go_down_when_a_worker_is_caught_between_two_stores() -> None:
    """The cell is cleared before its time is added: a scrape in between must not look like a counter that was reset."""
    scoreboard = board.create(layout.shape_for(1))
    row = scoreboard.row(0)
    scoreboard.slots_used = row[layout.RECORDS] = 1
    scoreboard.note(0, layout.PID, 1)
    source, highest = BoardSource(scoreboard), Highest()
    recorder.single(row, clock=lambda: time.monotonic_ns() - 10**9).begin(None, None)
    running = highest.settle(source.rows()).rows[0].busy_seconds
    row[layout.CELLS] = 0
    between = highest.settle(source.rows()).rows[0].busy_seconds

    assert (running > 1.0, between) == (True, running)


def test_a_worker_started_when_the_wall_clock_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked 100 s after the exporter began at unix time 5000; the clocks are read for that once."""
    clocks = SimpleNamespace(time=lambda: 5000.0, monotonic=lambda: 400.0, monotonic_ns=lambda: 700 * 10**9)
    monkeypatch.setattr(exporter_main, "time", clocks)
    scoreboard = board.create(layout.shape_for(1))
    source = BoardSource(scoreboard)
    monkeypatch.setattr(clocks, "time", lambda: 9000.0)
    scoreboard.slots_used = 1
    scoreboard.note(0, layout.SPAWNED_NS, 500 * 10**9)

    assert 5100.0 == source.rows().rows[0].spawned
