"""The exporter dies; nobody's request notices and no counter is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real


def exporter_pid(server: Server) -> int:
    """The arbiter's child that is not a worker."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    workers = set(server.pids())
    return next(int(pid) for pid in children if int(pid) not in workers)


def test_a_killed_exporter_comes_back_with_its_counters(tmp_path: Path) -> None:
    """After kill -9 the app answers at once, a new exporter appears, and the counters are what they were."""
    with serving(tmp_path) as server:
        for _ in range(7):
            server.get("/")
        sample = 'gunicorn_request_duration_seconds_count{status="2xx"}'
        wait_for(lambda: server.metric(sample) == 7, "seven requests")
        killed = exporter_pid(server)
        os.kill(killed, signal.SIGKILL)
        answer = server.get("/")[0]
        server.wait_for_log(rf"autotune: exporter ended pid={killed}")
        counted = wait_for(lambda: server.metric(sample), "the counters from a new exporter")
        spawns = wait_for(lambda: server.metric("gunicorn_autotune_exporter_spawns_total") == 2, "a counted spawn")

    assert (answer, counted, spawns) == (200, 8, True)


def test_the_exporter_leaves_when_its_arbiter_is_killed(tmp_path: Path) -> None:
    """kill -9 of the arbiter leaves no exporter behind to hold the port."""
    with serving(tmp_path) as server:
        pid, workers = exporter_pid(server), server.pids()
        server.process.kill()
        server.process.wait(10)
        gone = wait_for(lambda: not Path(f"/proc/{pid}").exists() or _zombie(pid), "the end of the exporter")
        wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "the end of the workers")

    assert gone


def _zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()
