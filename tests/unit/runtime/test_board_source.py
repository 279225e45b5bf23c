"""What the exporter reads out of the scoreboard."""

from __future__ import annotations

import time

from gunicorn_autotune.exporter.rows import Highest
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
