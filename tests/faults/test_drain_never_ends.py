"""A worker that was asked to leave stays and serves on: its heart beats, so Gunicorn would wait for ever."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
STAYS = """
workers = 2
graceful_timeout = 1
timeout = 2
def post_worker_init(worker):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


def test_it_is_killed_after_its_time_and_nobody_else_notices(tmp_path: Path) -> None:
    """After graceful_timeout, timeout and 5 s: SIGKILL, between two requests (one may just begin); said, counted."""
    with serving(tmp_path, STAYS, max_workers=4) as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGTTIN)
        server.wait_for_ready(3)
        with steady(server) as load:
            server.signal(signal.SIGTTOU)
            server.wait_for_log("worker did not leave in time, killed")
            server.wait_for_ready(2)
        counted = wait_for(lambda: server.metric("gunicorn_worker_drain_kills_total"), "the counted kill")
        wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="scale_down"}') == 1, "the counted exit")

    assert (len(load.failed) <= 1, counted) == (True, 1), load.failed
