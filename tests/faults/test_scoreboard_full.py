"""More workers than the scoreboard has rows, because an operator asked for them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.processes import children
from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
ROWS = 12
SMALL = """
from gunicorn_autotune.scoreboard import layout
layout.shape_for = lambda workers: layout.Shape(rows={rows}, status_bytes=65536)
"""


def _operator(server: Server, sig: int, before: int, after: int) -> None:
    """TTIN or TTOU, and wait until it has been taken for an operator's."""
    server.signal(sig)
    server.wait_for_log(rf"autotune: operator workers={before}->{after} ")


def test_a_worker_without_a_row_serves_like_the_others_and_is_the_first_to_leave(tmp_path: Path) -> None:
    """One TTIN after another beyond the rows: logged, counted, no request fails, and after TTOU all are measured."""
    with serving(tmp_path, SMALL.format(rows=ROWS) + "preload_app = True", max_workers=2) as server:
        server.wait_for_ready(2)
        with steady(server) as load:
            for workers in range(2, ROWS + 1):
                _operator(server, signal.SIGTTIN, workers, workers + 1)
            server.wait_for_log(f"autotune: scoreboard full rows={ROWS}")
            counted = wait_for(lambda: server.metric("gunicorn_autotune_unmeasured_workers_total"), "the count of it")
            wait_for(lambda: len(children(server.process.pid)) == ROWS + 1, "all workers")
            load.answered(ROWS + 1)
            _operator(server, signal.SIGTTOU, ROWS + 1, ROWS)
            wait_for(lambda: len(children(server.process.pid)) == ROWS, "one worker fewer")
            measured = len(server.wait_for_ready(ROWS))

    assert (load.failed, counted, measured) == ([], 1, ROWS)


def test_a_reload_may_allow_as_many_workers_as_it_likes(tmp_path: Path) -> None:
    """From two to fourteen by HUP, which stand beside each other for a moment: each has its row, no sum goes down."""
    with serving(tmp_path, "preload_app = True", max_workers=2) as server:
        server.wait_for_ready(2)
        for _ in range(3):
            server.get("/")
        config = tmp_path / "gunicorn.conf.py"
        config.write_text(config.read_text().replace("'max_workers': 2", "'min_workers': 14, 'max_workers': 14"))
        server.signal(signal.SIGHUP)
        measured = len(server.wait_for_ready(14))
        unmeasured = server.metric("gunicorn_autotune_unmeasured_workers_total")
        answered = sum(worker["requests"] for worker in server.status()["workers"])
        counted = server.metric('gunicorn_request_duration_seconds_count{status="2xx"}')

    assert (measured, unmeasured, counted >= max(3, answered)) == (14, 0, True)


def test_a_board_too_small_from_the_start_serves_unmeasured(tmp_path: Path) -> None:
    """More workers than rows: logged, counted, and the worker without a row answers like the others."""
    with serving(tmp_path, SMALL.format(rows=1), min_workers=3, max_workers=3) as server:
        server.wait_for_log("autotune: scoreboard full")
        unmeasured = wait_for(lambda: server.metric("gunicorn_autotune_unmeasured_workers_total"), "a count")
        answers = [server.get("/")[0] for _ in range(12)]

    assert (unmeasured, answers) == (2, [200] * 12)
