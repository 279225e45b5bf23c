"""One real run: Gunicorn with autotune, the plan sent to it over loopback, its flight record read afterwards."""

from __future__ import annotations

import asyncio
import time

from benchmarks.calibration.cells import Cell, plan
from benchmarks.calibration.observed import Observed
from benchmarks.calibration.others import Watch
from benchmarks.calibration.sender import Sender
from benchmarks.calibration.server import serving, ticks_of

LAST_LOOK_SECONDS = 1.5
"""A server nobody asks is looked at once a second: so long until the last answers stand in the record."""


def real_run(cell: Cell, seed: int) -> Observed:
    """Takes as long as the cell, and a few seconds."""
    drawn = plan(cell, seed)
    with serving(cell.kind) as (server, record):
        sender, watch = Sender(server.port, drawn), Watch(server.pid)
        answers = asyncio.run(sender.drive())
        others = watch.cores()
        time.sleep(LAST_LOOK_SECONDS)
        ticks = ticks_of(record)
    return Observed(cell, sender.began, ticks, answers, tuple(cpu + wait for cpu, wait in drawn.work), others)
