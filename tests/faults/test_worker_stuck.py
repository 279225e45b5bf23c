"""A worker is stuck in a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_the_timeout_ends_it_and_the_others_serve(tmp_path: Path) -> None:
    """A request of a minute under a timeout of 8 s: its worker is aborted and replaced, no other request fails."""
    with serving(tmp_path, "workers = 3\ntimeout = 8", min_workers=3, max_workers=3) as server:
        server.wait_for_ready(3)
        stuck = server.hold("/sleep?s=60")
        with steady(server) as load:
            victim = server.wait_for_status(
                lambda status: [worker["pid"] for worker in status["workers"] if worker["oldest_request_seconds"] > 1],
                "the stuck worker",
            )[0]
            server.wait_for_log(rf"WORKER TIMEOUT \(pid:{victim}\)")
            timeouts = wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="timeout"}'), "a timeout")
            server.wait_for_ready(3)
            load.answered(10)
        told = stuck.recv(100)

    assert (load.failed, timeouts, b"200 OK" in told) == ([], 1, False)
