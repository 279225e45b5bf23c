"""A sensor of ours fails: its reading is Missing, counted, never acted on, and the rest goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real

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
    with serving(tmp_path, BREAK.format(module=module, function=function)) as server:
        with steady(server) as load:
            errors = wait_for(lambda: server.metric('gunicorn_autotune_errors_total{stage="read"}') > 3, "their count")
            ticks = server.status()["tally"]["ticks"]
            server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks, "another tick")
        mode = server.status()["mode"]
        logged = server.log.count("this sensor fails on purpose")

    assert (load.failed, errors, mode, logged >= 1) == ([], True, "active", True)


def test_a_missing_backlog_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """With the listener unreadable the status says missing and why; it never says 0."""
    with serving(tmp_path, BREAK.format(module="listeners", function="read_listener")) as server:
        backlog = server.status()["listeners"][0]["backlog"]

    assert backlog == {"missing": f"listener http://127.0.0.1:{server.port} raised RuntimeError"}


def test_a_cgroup_that_vanishes_is_missing_not_zero(tmp_path: Path) -> None:
    """The cgroup's files go away while we run: no limit is invented, the count is left alone, serving goes on."""
    config = """
from pathlib import Path
import shutil
from gunicorn_autotune.sensors import cgroup
root = Path("host")
(root / "proc/self").mkdir(parents=True); (root / "cg/app").mkdir(parents=True)
(root / "proc/self/cgroup").write_text("0::/app\\n")
(root / "proc/self/mountinfo").write_text("30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\\n")
(root / "proc/meminfo").write_text("MemTotal: 4194304 kB\\nMemAvailable: 4000000 kB\\n")
for name, text in (("memory.max", "268435456"), ("memory.current", "1000"), ("memory.stat", "inactive_file 0"),
                   ("cpu.max", "200000 100000"), ("cgroup.controllers", "cpu memory")):
    (root / "cg/app" / name).write_text(text + "\\n")
find = cgroup.find_cgroup
cgroup.find_cgroup = lambda root=Path("host").resolve(): find(root)
"""
    with serving(tmp_path, config) as server:
        limited = server.wait_for_status(lambda status: status["host"]["memory_limit_bytes"] == 268435456, "the limit")
        before = server.status()["target"]
        with steady(server) as load:
            shutil.rmtree(tmp_path / "host/cg/app")
            seen = server.wait_for_status(
                lambda status: status if "missing" in str(status["host"]["memory_limit_bytes"]) else None, "no limit"
            )
            server.wait_for_status(lambda status: status["tally"]["ticks"] > seen["tally"]["ticks"] + 4, "more ticks")
        after = server.status()["target"]

    assert (load.failed, limited, after) == ([], True, before)
