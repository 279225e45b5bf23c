"""A sensor of ours fails: its reading is Missing, counted, never acted on, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]

BREAK = """
from gunicorn_autotune.sensors import {module}
def broken(*args, **kwargs):
    raise RuntimeError("this sensor fails on purpose")
{module}.{function} = broken
"""


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("memory", "read_memory"),
        ("process", "open_process"),
        ("listeners", "read_listener"),
        ("cgroup", "read_host"),
    ],
)
def test_serving_and_ticking_go_on(module: str, function: str, tmp_path: Path) -> None:
    """Requests are answered, ticks go on, the error is counted and its traceback is logged once."""
    with serving(tmp_path, BREAK.format(module=module, function=function)) as server, steady(server) as load:
        wait_for(lambda: server.metric('gunicorn_autotune_errors_total{stage="read"}') > 3, "counted errors")
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 4, "more ticks")
        load.answered(20)
        mode = server.status()["mode"]
        logged = server.log.count("RuntimeError: this sensor fails on purpose")
        sensors = server.log.count("sensor failed (logged once)")

    assert ([], "active", sensors) == (load.failed, mode, logged)
    assert 1 == sensors


def test_a_missing_backlog_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """With the listener unreadable the status says missing and why; it never says 0."""
    with serving(tmp_path, BREAK.format(module="listeners", function="read_listener")) as server:
        backlog = server.status()["listeners"][0]["backlog"]

    assert backlog == {"missing": f"listener http://127.0.0.1:{server.port} raised RuntimeError"}
