"""The system's clock is set an hour ahead or back while the server runs (NTP, a resumed virtual machine).

The machine's own clock is left alone: `time.time` of arbiter, workers and exporter follows a file instead.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
CLOCK = """
import time
real = time.time
def stepped():
    try:
        with open({step!r}) as file:
            return real() + float(file.read() or 0)
    except FileNotFoundError:
        return real()
time.time = stepped
"""
CONFIG = """
exec(open("clock.py").read())
from gunicorn_autotune.runtime import exporter_process
exporter_process.BOOTSTRAP = "exec(open('clock.py').read()); " + exporter_process.BOOTSTRAP
workers = 4
timeout = 10
"""


def _step(folder: Path, seconds: int) -> None:
    """Set the server's clock `seconds` off the true time, at once for all its processes."""
    (folder / "step.new").write_text(str(seconds))
    (folder / "step.new").replace(folder / "step")


def _ticks_after(server: Server, seconds: int, before: float) -> None:
    """Wait until the step is seen in what the server tells, and for a few ticks more."""
    told = server.wait_for_status(
        lambda status: status if abs(status["time"] - before - seconds) < 600 else None,
        "the stepped clock in the status",
    )
    server.wait_for_status(lambda status: status["tally"]["ticks"] > told["tally"]["ticks"] + 10, "more ticks")


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["ahead", "back"])
def test_a_stepped_clock_changes_nothing(seconds: int, tmp_path: Path) -> None:
    """No window is over, no worker timed out, no health check fails, no figure jumps, and a queue is still answered."""
    (tmp_path / "clock.py").write_text(CLOCK.format(step=str(tmp_path / "step")))
    with serving(tmp_path, CONFIG, max_workers=16) as server:
        before = server.wait_for_ready(4)
        with steady(server) as load:
            at = server.status()["time"]
            _step(tmp_path, seconds)
            _ticks_after(server, seconds, at)
            after, healthy = server.pids("idle", "busy"), server.exporter("/-/healthy")[0]
            busy = server.metric('gunicorn_request_duration_seconds_sum{status="2xx"}')
            count = len(server.pids())
            for _ in range(20):
                server.hold("/sleep?s=2")
            wait_for(lambda: len(server.pids()) > count, "growth for a queue")
        log = server.log

    assert set(before) <= set(after)
    assert (load.failed, healthy, busy < 60, "TIMEOUT" in log) == ([], 200, True, False)
