"""An added worker, or a replacement, cannot start: those that serve go on, and it is tried again later."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.steady import Steady, steady
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
TOO_MUCH_FOR_TWO = {"path": "/sleep?s=0.15", "requests_per_second": 15.0}
BROKEN = """
import os
if os.path.exists("broken"):
    raise ImportError("this app is broken on purpose")
from plain import app
"""
FAILS_ONCE = """
import os
try:
    os.rename("broken", "seen")
except FileNotFoundError:
    from plain import app
else:
    raise ImportError("this app is broken once, on purpose")
"""
THREE_CONNECTIONS = """
import fcntl
def connect():
    for number in range(3):
        connection = open(f"connection-{number}", "w")
        try:
            fcntl.flock(connection, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return connection
        except OSError:
            connection.close()
    raise ConnectionError("the database has no connection left")
connection = connect()
from plain import app
"""
FAILURE = "autotune: worker could not start"
RETRY = {"boot_backoff_seconds": 0.5}


def _write(folder: Path, app: str) -> str:
    (folder / "fragile.py").write_text(app)
    return "fragile:app"


def _figures(server: Server, load: Steady) -> tuple[list[str], int | None, str]:
    """Failed requests, exit code of the arbiter, mode."""
    return load.failed, server.process.poll(), server.status()["mode"]


def test_a_boot_that_always_fails_costs_no_request(tmp_path: Path) -> None:
    """The app is broken after the start and the load rises: growth is tried, rolled back, tried again later."""
    with serving(tmp_path, app=_write(tmp_path, BROKEN), **RETRY) as server:
        server.wait_for_ready(2)
        (tmp_path / "broken").touch()
        with steady(server, **TOO_MUCH_FOR_TWO, patience_seconds=40) as load:
            server.wait_for_log(f"{FAILURE} .*failures_in_row=2")
            server.wait_for_log("action=rollback reason=boot_failed backoff_seconds=1")
            serving_pids = server.wait_for_ready(2)
        figures = _figures(server, load)

    assert (figures, len(serving_pids)) == (([], None, "active"), 2)


def test_a_boot_that_fails_once_is_made_up_for(tmp_path: Path) -> None:
    """One import fails: after the back-off the server has grown as if nothing had been."""
    with serving(tmp_path, app=_write(tmp_path, FAILS_ONCE), **RETRY) as server:
        server.wait_for_ready(2)
        (tmp_path / "broken").touch()
        with steady(server, **TOO_MUCH_FOR_TWO) as load:
            server.wait_for_log(FAILURE)
            wait_for(lambda: len(server.pids("idle", "busy")) > 2, "growth after the back-off")
        figures, failures = _figures(server, load), server.log.count(FAILURE)

    assert (figures, failures) == (([], None, "active"), 1)


def test_a_resource_for_three_workers_leaves_three_that_serve(tmp_path: Path) -> None:
    """The fourth worker finds no database connection: the three that have one go on, whatever the load asks for."""
    with serving(tmp_path, app=_write(tmp_path, THREE_CONNECTIONS), **RETRY) as server:
        server.wait_for_ready(2)
        with steady(server, "/sleep?s=0.2", requests_per_second=15, patience_seconds=40) as load:
            server.wait_for_log(FAILURE, count=2)
            most = wait_for(lambda: len(pids) if len(pids := server.pids("idle", "busy")) > 2 else None, "a third")
        figures = _figures(server, load)

    assert (figures, most) == (([], None, "active"), 3)


def test_a_dead_worker_that_cannot_be_replaced_does_not_stop_the_other(tmp_path: Path) -> None:
    """One of two is killed and the app is broken by then: the other serves until it is mended, then there are two."""
    with serving(tmp_path, app=_write(tmp_path, BROKEN), max_workers=2, **RETRY) as server:
        victim = server.wait_for_ready(2)[0]
        (tmp_path / "broken").touch()
        with steady(server) as load:
            os.kill(victim, signal.SIGKILL)
            server.wait_for_log(FAILURE, count=2)
            load.answered(10)
            (tmp_path / "broken").unlink()
            server.wait_for_ready(2)
        failed, code, mode = _figures(server, load)

    assert (len(failed) <= 1, code, mode) == (True, None, "active"), failed
