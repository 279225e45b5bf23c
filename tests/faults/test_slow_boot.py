"""New workers take seconds to import the app, and the load rises meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]
APP = """
import os, time
if os.path.exists("slow"):
    time.sleep(4)
from plain import app
"""


def test_booting_workers_count_as_capacity_and_nobody_is_lost(tmp_path: Path) -> None:
    """A load for three comes to two workers: as many boot as were asked for and no more, and all are answered."""
    (tmp_path / "slow_app.py").write_text(APP)
    with serving(tmp_path, app="slow_app:app", max_workers=32) as server:
        server.wait_for_ready(2)
        (tmp_path / "slow").touch()
        with steady(server, "/sleep?s=0.15", requests_per_second=20) as load:
            asked = server.wait_for_status(
                lambda status: status["target"] if "booting" in [w["state"] for w in status["workers"]] else None,
                "a booting worker",
            )
            server.wait_for_status(
                lambda status: sum(worker["ready"] for worker in status["workers"]) > 2, "a worker that took its time"
            )
            status = server.wait_for_status(
                lambda status: status if all(worker["ready"] for worker in status["workers"]) else None, "all ready"
            )
    spawned, mode = status["tally"]["spawns"], status["mode"]

    assert (load.failed, 2 < asked, spawned <= status["target"] < 32, mode) == ([], True, True, "active")
