"""A new Gunicorn takes over from the old one (USR2), or is sent away again, under load."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.processes import children, ended, exporter_pid
from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real


@contextmanager
def _upgrading(server: Server, workers: int = 3) -> Iterator[int]:
    """Pid of the new master, once its `workers` serve beside the old ones; ended at last if it still runs."""
    before = set(children(server.process.pid))
    server.signal(signal.SIGUSR2)
    new = wait_for(lambda: set(children(server.process.pid)) - before, "a child that becomes the new master").pop()
    try:
        server.wait_for_status(lambda status: status["frozen"] == "upgrade", "a frozen old master")
        server.wait_for_log(rf"\[{new}\] \[INFO\] autotune: exporter: cannot listen", seconds=60)
        # Frozen, so it cannot have grown: it began with this many.
        wait_for(lambda: len(children(new)) == workers, f"{workers} workers of the new master")
        yield new
    finally:
        if not ended(new):
            os.kill(new, signal.SIGTERM)
        wait_for(lambda: ended(new), "the end of the new master")


@pytest.mark.parametrize(
    ("farewell", "most_failed"),
    [(signal.SIGTERM, 0), (signal.SIGQUIT, 3)],
    ids=["term", "quit"],
)
def test_an_upgrade_hands_everything_over(farewell: int, most_failed: int, tmp_path: Path) -> None:
    """The old master leaves: the new one serves, has the port, tunes, and runs as many workers as the old one did.

    With TERM no request fails; QUIT, by Gunicorn's own rule, ends each of the three old workers in its request.
    """
    with serving(tmp_path, f"workers = 2\npidfile = '{tmp_path}/g.pid'", max_workers=4) as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGTTIN)
        server.wait_for_ready(3)
        with steady(server) as load, _upgrading(server) as new:
            server.signal(farewell)
            server.process.wait(20)
            server.wait_for_status(lambda status: status["server"]["pid"] == new, "the new master's metrics")
            active = server.wait_for_status(lambda status: status["mode"] == "active", "an active new master")
            load.answered(10)
            load.end()
            load.settled()

    assert (len(load.failed) <= most_failed, active) == (True, True), load.failed


def test_while_the_old_master_drains_the_new_one_answers_for_the_host(tmp_path: Path) -> None:
    """A request of the old workers runs on: /-/ready says that the host serves, not that something shuts down."""
    config = f"workers = 3\ngraceful_timeout = 30\npidfile = '{tmp_path}/g.pid'"
    with serving(tmp_path, config, max_workers=3) as server:
        server.wait_for_ready(3)
        with _upgrading(server) as new:
            for _ in range(6):
                server.hold("/sleep?s=6")
            wait_for(lambda: server.pids("busy"), "a request on an old worker")
            server.signal(signal.SIGTERM)
            server.wait_for_status(lambda status: status["server"]["pid"] == new, "the new master's metrics")
            ready, draining = server.exporter("/-/ready")[0], server.process.poll() is None
            server.process.wait(30)

    assert (ready, draining) == (200, True)


def test_a_roll_back_costs_no_request_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """The new master is sent away: the old one has its exporter, its workers and its tuning still."""
    with serving(tmp_path, f"workers = 3\npidfile = '{tmp_path}/g.pid'", max_workers=3) as server:
        before = sorted(server.wait_for_ready(3)), exporter_pid(server)
        with steady(server) as load:
            with _upgrading(server) as new:
                os.kill(new, signal.SIGTERM)
                wait_for(lambda: ended(new), "the end of the new master")
            active = server.wait_for_status(
                lambda status: status["frozen"] is None and status["mode"] == "active", "an active old master"
            )
            load.answered(10)
        after = sorted(server.wait_for_ready(3)), exporter_pid(server)

    assert (load.failed, active, after) == ([], True, before)


def test_a_number_written_before_the_upgrade_is_what_the_new_master_runs(tmp_path: Path) -> None:
    """The old master was told three, the file says four by now: four, and the old one keeps its three."""
    with serving(tmp_path, f"workers = 3\npidfile = '{tmp_path}/g.pid'", max_workers=6) as server:
        old = sorted(server.wait_for_ready(3))
        file = tmp_path / "gunicorn.conf.py"
        file.write_text(file.read_text().replace("workers = 3", "workers = 4"))
        with steady(server) as load, _upgrading(server, workers=4):
            kept = sorted(server.pids())

    assert (load.failed, kept) == ([], old)
