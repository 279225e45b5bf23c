"""Code of other people that no test of ours had: it serves as under plain Gunicorn, in active and observe mode."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import Server, launched, serving, wait_for

pytestmark = pytest.mark.real
ODD_ENTRIES = "import pathlib, sys\nsys.path += [pathlib.Path('/tmp'), None, b'/tmp', 7]\n"


def _forks(server: Server) -> int:
    return server.log.count("Booting worker with pid")


@pytest.mark.parametrize("mode", ["active", "observe"])
@pytest.mark.parametrize("worker", ["OwnPool", "OwnOddPool", "SlottedNotify"])
def test_a_worker_class_of_the_users_own_serves_and_lives(worker: str, mode: str, tmp_path: Path) -> None:
    """No worker dies, no request is lost, and a queue that does not tell its length is unknown, not empty."""
    config = f"worker_class = 'own_pool.{worker}'\nthreads = 2\nworkers = 2"
    with serving(tmp_path, config, app="own_pool:app", mode=mode, min_workers=2, max_workers=2) as server:
        with steady(server, "/") as load:
            load.answered(30)
        queued = [one["queued"] for one in server.status()["workers"]]
        forks = _forks(server)

    assert (load.failed, forks) == ([], 2)
    assert all(isinstance(one, dict) and "missing" in one for one in queued), queued


def test_odd_entries_of_sys_path_cost_nothing(tmp_path: Path) -> None:
    """Python ignores what is no text there; the exporter starts, and a reload works."""
    with serving(tmp_path, ODD_ENTRIES) as server, steady(server) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log("Handling signal: hup")
        load.answered(20)
        errors = sum(server.status()["tally"]["errors"].values())

    assert (load.failed, errors) == ([], 0)


def test_an_exporter_that_cannot_start_leaves_the_server_alone(tmp_path: Path) -> None:
    """Whatever its start raises: still active, still tuned, no descriptor lost, one line, and a reload works."""
    config = "from gunicorn_autotune.runtime import exporter_process\nexporter_process.Popen = None\n"
    with serving(tmp_path, config, ready=False, min_workers=2, max_workers=2) as server:
        wait_for(lambda: server.get()[0] == 200, "an answer")
        server.wait_for_log("exporter cannot start error=TypeError")
        with steady(server) as load:
            load.answered(30)  # by now every worker's files are open
            descriptors = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
            load.answered(60)
            lost = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) - descriptors
            server.signal(signal.SIGHUP)
            server.wait_for_log("Handling signal: hup")
            load.answered(10)
        told, fallback = server.log.count("exporter cannot start"), "fallback" in server.log

    assert (load.failed, told, fallback) == ([], 1, False)
    assert lost <= 0


def test_workers_that_crash_at_once_are_not_forked_without_end(tmp_path: Path) -> None:
    """Plain Gunicorn forks as fast as they die; ours pauses after a few, says so, and the pauses grow."""
    crashing = {"CRASH_AFTER_SECONDS": "0.01"}
    with serving(tmp_path, "workers = 2", ready=False, env=crashing, app="own_pool:app") as server:
        server.wait_for_log("autotune: workers die before their first request, the next one waits", 2)
        ours = _forks(server)
    with launched(tmp_path, "-w", "2", env=crashing, app="own_pool:app") as plain:
        wait_for(lambda: _forks(plain) > ours + 10, "plain Gunicorn's forks")

    assert ours <= 16
    assert "in_a_row=9 pause_seconds=1\n" in server.log
    assert "pause_seconds=2\n" in server.log
