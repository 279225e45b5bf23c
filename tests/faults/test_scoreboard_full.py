"""More workers than the scoreboard has rows, because an operator asked for them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
ROWS = 2 * 2 + 8


def _one_more(server: Server, workers: int) -> None:
    """TTIN, and wait until it has been taken for an operator's."""
    server.signal(signal.SIGTTIN)
    server.wait_for_log(rf"autotune: operator workers={workers}->{workers + 1} ")


def test_a_worker_without_a_row_serves_like_the_others_and_is_counted(tmp_path: Path) -> None:
    """One TTIN after another beyond the rows: logged, counted, nobody's request fails; after the hold all is as before."""
    with serving(tmp_path, "preload_app = True", max_workers=2, operator_hold_seconds=4.0) as server:
        server.wait_for_ready(2)
        with steady(server) as load:
            for workers in range(2, ROWS + 1):
                _one_more(server, workers)
            server.wait_for_log(f"autotune: scoreboard full rows={ROWS}")
            counted = wait_for(lambda: server.metric("gunicorn_autotune_unmeasured_workers_total"), "the count of it")
            load.answered(ROWS + 1)
            server.wait_for_log(rf"workers={ROWS + 1}->2 action=shrink reason=above_max")
            server.wait_for_ready(2)
        mode = server.wait_for_status(lambda status: status["mode"] == "active", "an active tuner")

    assert (load.failed, counted, mode) == ([], 1, True)
