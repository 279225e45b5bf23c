"""The tick itself fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real

BROKEN_LAW = """
import os
from gunicorn_autotune.law import law
decide, calls = law.decide, []
def broken(*args):
    calls.append(1)
    if {when}:
        raise RuntimeError("this law fails on purpose")
    return decide(*args)
law.decide = broken
"""


def test_one_failed_tick_is_logged_and_the_next_one_runs(tmp_path: Path) -> None:
    """A single failure costs one tick: counted, logged, still active."""
    with serving(tmp_path, BROKEN_LAW.format(when="len(calls) == 6")) as server:
        with steady(server) as load:
            counted = wait_for(lambda: server.metric('gunicorn_autotune_errors_total{stage="decide"}'), "a count of it")
            load.answered(10)
        mode, logged = server.status()["mode"], server.log.count("RuntimeError: this law fails on purpose")

    assert (load.failed, counted, mode, logged) == ([], 1, "active", 1)


@pytest.mark.once
def test_repeated_failure_becomes_fallback_and_leaves_the_count_alone(tmp_path: Path) -> None:
    """After ten failures in a row the mode is fallback, requests are served by the workers there were."""
    with serving(tmp_path, BROKEN_LAW.format(when="len(calls) > 6")) as server:
        with steady(server) as load:
            workers = server.wait_for_log(r"autotune: fallback: the worker count is left alone workers=\d+")[-1]
            mode = server.wait_for_status(lambda status: status["mode"] == "fallback", "fallback in the status")
            before = sorted(server.wait_for_ready(int(workers)))
            for _ in range(6):
                server.hold("/sleep?s=1")
            load.answered(10)
        after = sorted(server.pids())
        fallback = server.metric('gunicorn_autotune_mode{mode="fallback"}')
        logged = server.log.count("RuntimeError: this law fails on purpose")

    assert (load.failed, mode, after, fallback, logged) == ([], True, before, 1, 1)


def test_a_reload_ends_the_fallback(tmp_path: Path) -> None:
    """HUP reads the configuration again and gives the controller another chance."""
    config = BROKEN_LAW.format(when="6 < len(calls) < 40 and not os.path.exists('mended')")
    with serving(tmp_path, config) as server, steady(server) as load:
        server.wait_for_log("autotune: fallback")
        (tmp_path / "mended").touch()
        server.signal(1)
        active = server.wait_for_status(lambda status: status["mode"] == "active", "active again")

    assert (load.failed, active) == ([], True)


def test_a_gunicorn_without_the_names_we_lean_on_serves_untuned(tmp_path: Path) -> None:
    """A private name is gone: one loud line, and Gunicorn serves as if we were not there."""
    config = "from gunicorn_autotune.runtime import compat\ncompat.ARBITER_NAMES += ('a_name_of_tomorrow',)"
    with serving(tmp_path, config, ready=False) as server:
        server.wait_for_log("autotune: observe only: this Gunicorn lacks names we lean on names=a_name_of_tomorrow")
        answer = wait_for(lambda: server.get("/")[0], "an answer")

    assert answer == 200


@pytest.mark.parametrize(
    ("module", "function"),
    [("scoreboard.board", "create"), ("runtime.hooks", "chain"), ("runtime.hooks", "set_first_target")],
)
def test_an_adoption_that_fails_leaves_gunicorn_as_it_is(module: str, function: str, tmp_path: Path) -> None:
    """Wholly or not at all: logged, and Gunicorn starts without us, with its own hooks, workers and max_requests."""
    config = f"""
workers, max_requests = 3, 100
import gunicorn_autotune.{module} as broken
def fails(*args):
    raise MemoryError("on purpose")
broken.{function} = fails
def post_worker_init(worker):
    print("max_requests", worker.max_requests, "ours", hasattr(worker, "autotune"), flush=True)
"""
    with serving(tmp_path, config, ready=False) as server:
        server.wait_for_log("autotune: could not start, Gunicorn serves on without it")
        server.wait_for_log("max_requests 100 ours False", 3)
        answer = wait_for(lambda: server.get("/")[0], "an answer")

    assert answer == 200
