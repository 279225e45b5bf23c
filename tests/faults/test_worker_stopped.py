"""A worker is stopped (SIGSTOP): it neither serves nor dies by itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.processes import ended
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real


def test_it_is_killed_after_the_timeout_and_replaced(tmp_path: Path) -> None:
    """The others serve meanwhile; Gunicorn's timeout ends it, counted as such, and the count is what it was."""
    with serving(tmp_path, "workers = 3\ntimeout = 8", min_workers=3, max_workers=3) as server:
        victim = server.wait_for_ready(3)[0]
        with steady(server) as load:
            os.kill(victim, signal.SIGSTOP)
            server.wait_for_log(rf"WORKER TIMEOUT \(pid:{victim}\)")
            wait_for(lambda: ended(victim), "the end of the stopped worker")
            timeouts = wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="timeout"}'), "a timeout")
            server.wait_for_ready(3)
        mode = server.status()["mode"]

    assert (len(load.failed) <= 1, timeouts, mode) == (True, 1, "active"), load.failed
