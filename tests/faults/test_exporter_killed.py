"""The exporter dies; nobody's request notices and no counter is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.processes import ended, exporter_pid
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
ANSWERED = 'gunicorn_request_duration_seconds_count{status="2xx"}'


def test_a_killed_exporter_costs_no_request_and_comes_back_with_every_one_counted(tmp_path: Path) -> None:
    """kill -9 beside a steady load: no request fails, and the new exporter has counted those before and meanwhile."""
    with serving(tmp_path) as server:
        with steady(server) as load:
            load.answered(10)
            killed = exporter_pid(server)
            os.kill(killed, signal.SIGKILL)
            server.wait_for_log(rf"autotune: exporter ended pid={killed}")
            wait_for(lambda: server.metric("gunicorn_autotune_exporter_spawns_total") == 2, "a counted spawn")
            load.answered(10)
        counted = wait_for(lambda: server.metric(ANSWERED) == len(load.statuses), "every request in the counters")
        mode = server.status()["mode"]

    assert (load.failed, counted, mode) == ([], True, "active")


def test_a_reload_that_waits_for_a_stream_does_not_keep_the_exporter_away(tmp_path: Path) -> None:
    """Gunicorn from 25.1 on turns its loop no further until the old workers have left: the port answers meanwhile."""
    config = "workers = 1\nworker_class = 'gthread'\nthreads = 2\ngraceful_timeout = 60"
    with serving(tmp_path, config, app="streams:app", max_workers=1) as server:
        server.hold("/events").recv(1)
        server.signal(signal.SIGHUP)
        server.wait_for_log("Booting worker", 2)
        killed = exporter_pid(server)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: exporter_pid(server) != killed, "another exporter", 10)
        frozen = wait_for(lambda: server.status()["frozen"] or "no longer", "its answer", 10)

    assert frozen in ("reload", "no longer")


def test_the_exporter_leaves_when_its_arbiter_is_killed(tmp_path: Path) -> None:
    """kill -9 of the arbiter leaves no exporter behind to hold the port."""
    with serving(tmp_path, "timeout = 4") as server:  # a worker looks for its parent every 2 s
        pid, workers = exporter_pid(server), server.pids()
        server.process.kill()
        server.process.wait(10)
        gone = wait_for(lambda: ended(pid), "the end of the exporter")
        wait_for(lambda: all(map(ended, workers)), "the end of the workers")

    assert gone
