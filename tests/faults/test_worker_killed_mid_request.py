"""A worker dies in the middle of a request."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real


def test_only_the_request_inside_it_is_lost(tmp_path: Path) -> None:
    """Beside a steady load one worker is killed in a long request: no other request fails."""
    with serving(tmp_path, "workers = 3", min_workers=3, max_workers=3) as server:
        server.wait_for_ready(3)
        server.hold("/sleep?s=30")
        victim = server.wait_for_status(
            lambda status: [worker for worker in status["workers"] if worker["oldest_request_seconds"] > 1],
            "the worker with the long request",
        )[0]
        with steady(server) as load:
            os.kill(victim["pid"], signal.SIGKILL)
            load.answered(20)

    assert load.failed == []


def test_the_others_serve_and_its_row_is_reclaimed(tmp_path: Path) -> None:
    """The slot is free again and nothing stays in flight."""
    with serving(tmp_path, "workers = 3", min_workers=3, max_workers=3) as server:
        server.wait_for_ready(3)
        server.hold("/sleep?s=30")
        victim = server.wait_for_status(
            lambda status: [worker for worker in status["workers"] if worker["state"] == "busy"], "a busy worker"
        )[0]
        os.kill(victim["pid"], signal.SIGKILL)
        wait_for(lambda: victim["pid"] not in server.pids(), "the victim's end to be seen")
        server.wait_for_ready(3)
        idle = server.wait_for_status(
            lambda status: all(worker["in_flight"] == 0 for worker in status["workers"]), "nothing in flight"
        )
        blamed = wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="signal"}'), "a counted exit")
        slots = {worker["slot"] for worker in server.status()["workers"]}

    assert (idle, blamed, victim["slot"] in slots) == (True, 1, True)
