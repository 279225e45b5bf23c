"""Every function of ours that Gunicorn reaches raises, one after the other: the site serves as if we were not there.

Which functions those are is found in the running server (tests/apps/breaking.py), door by door.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from gunicorn_autotune.model.status import Door
from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real

BROKEN = """
from breaking import Breaker, Door
Breaker(Door({door!r})).arm()
"""


def _reload(server: Server) -> None:
    booted = server.log.count("Booting worker with pid")
    server.signal(signal.SIGHUP)
    wait_for(lambda: server.log.count("Booting worker with pid") > booted + 1, "a new set of workers")
    wait_for(lambda: server.get()[0] == 200, "an answer after the reload")


def _grow_and_shrink(server: Server) -> None:
    for number in (signal.SIGTTIN, signal.SIGTTOU) * 2:
        name = number.name.removeprefix("SIG").lower()
        before = server.log.count(f"Handling signal: {name}")
        server.signal(number)
        wait_for(lambda: server.log.count(f"Handling signal: {name}") > before, name)  # noqa: B023


def _shrink(server: Server) -> None:
    left = server.log.count("Worker exiting")
    _grow_and_shrink(server)
    wait_for(lambda: server.log.count("Worker exiting") > left + 1, "workers that leave")


def _end_workers(server: Server) -> None:
    for _ in range(3):
        pid = int(server.get("/pid")[1])
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: int(server.get("/pid")[1]) != pid, "another worker answers")  # noqa: B023


def _ask(server: Server) -> None:
    for _ in range(40):
        assert server.get("/sleep?s=0.01")[0] == 200


def _upgrade(server: Server) -> None:
    listening = r"Listening at: \S+ \((\d+)\)"
    masters = len(re.findall(listening, server.log))
    server.signal(signal.SIGUSR2)
    new = int(re.findall(r"\d+", server.wait_for_log(listening, masters + 1))[-1])
    os.kill(new, signal.SIGTERM)
    gone = server.log.count("Shutting down: Master")
    server.wait_for_log("Shutting down: Master", gone + 1)


def _wait_for_ticks(server: Server) -> None:
    """More ticks than the longest run without a new failure."""
    first = wait_for(lambda: server.metric("gunicorn_autotune_ticks_total"), "metrics")
    wait_for(lambda: server.metric("gunicorn_autotune_ticks_total") > first + 8, "ticks")


OPENED_BY: dict[Door, Callable[[Server], None]] = {
    Door.SETUP: _reload,
    Door.RELOAD: _reload,
    Door.ON_RELOAD: _reload,
    Door.REEXEC: _upgrade,
    Door.TICK: _wait_for_ticks,
    Door.CHILD_EXIT: _end_workers,
    Door.REAP_WORKERS: _end_workers,
    Door.WORKER_EXIT: _end_workers,
    Door.GRACEFUL_TIMEOUT: _shrink,
    Door.BOOT_ERROR: _end_workers,
    Door.PRE_REQUEST: _ask,
    Door.POST_REQUEST: _ask,
    Door.NOTIFY: _ask,
    Door.HANDLE: _ask,
}
"""How a test makes Gunicorn open a door; the others open when the count changes, or all the time."""

# Before 27 gthread loses requests of its own when it shrinks.
CLASSES = {Door.NOTIFY: "threads = 2\n", Door.GRACEFUL_TIMEOUT: "worker_class = 'gevent'\n"}
"""Sync workers have nothing of ours behind these."""


@pytest.mark.parametrize("door", Door, ids=lambda door: door.value)
def test_the_site_serves_whatever_fails_behind_this_door(door: Door, tmp_path: Path) -> None:
    """No request fails, each failure is told and counted by its door, and the server ends as it always does."""
    config = CLASSES.get(door, "") + BROKEN.format(door=door.value)
    with serving(tmp_path, config, ready=False, tick_seconds=0.05, min_workers=2) as server:
        wait_for(lambda: server.get()[0] == 200, "the first answer")
        with steady(server) as load:
            _open_until_all_have_failed(server, door)
            load.answered(10)
        answered, ended = server.get()[0], server.stop()
    print(f"{door.value}: {len((server.folder / 'broken').read_text().split())} functions failed")
    told = server.log.count(f"autotune: failed (logged once), Gunicorn serves on door={door.value}\n")

    assert (load.failed, answered, ended) == ([], 200, 0)
    assert told >= 1
    assert "Unhandled exception" not in server.log


def _open_until_all_have_failed(server: Server, door: Door) -> None:
    """Until opening the door once more brings no function that has not failed yet."""
    opened, failed = OPENED_BY.get(door, _grow_and_shrink), -1
    while failed < (failed := len((server.folder / "broken").read_text().split())):
        opened(server)
        if door in (Door.REEXEC, Door.STOP):
            break  # all functions fail at the first opening, and there is hardly a second one
