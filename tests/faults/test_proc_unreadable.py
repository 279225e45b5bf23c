"""/proc is hidden from the server: an empty folder stands in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]
HIDDEN = """
from pathlib import Path
from gunicorn_autotune.sensors import cgroup, memory, process
nothing = Path("nothing").resolve()
nothing.mkdir(exist_ok=True)
find, rollup, stat = cgroup.find_cgroup, memory.read_memory, process.open_process
cgroup.find_cgroup = lambda root=nothing: find(root)
memory.read_memory = lambda pid: rollup(pid, nothing)
process.open_process = lambda pid: stat(pid, nothing)
"""


def test_no_worker_is_taken_away_and_nobody_notices(tmp_path: Path) -> None:
    """Nothing is decided by figures that are not there, ticks go on, every request is answered."""
    with serving(tmp_path, HIDDEN) as server, steady(server) as load:
        before = set(server.pids())
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 12, "more ticks")
        load.answered(20)
        after, mode = set(server.pids()), server.status()["mode"]

    assert ([], True, "active") == (load.failed, before <= after, mode)


def test_what_stood_there_is_missing_and_not_zero(tmp_path: Path) -> None:
    """Memory, CPU time and limits have a reason in the status and no sample in the metrics."""
    with serving(tmp_path, HIDDEN) as server:
        server.wait_for_ready(2)
        status, page = server.status(), server.exporter("/metrics")[1]
        told = [status["host"]["memory_limit_bytes"], status["host"]["cpu_quota_cores"]]
        told += [worker["rss_bytes"] for worker in status["workers"]]
        names = ["worker_resident_memory_bytes", "worker_cpu_seconds_total", "autotune_limit_memory_bytes"]
        sampled = [name for name in names if f"\ngunicorn_{name}" in page]

    assert ([], []) == ([value for value in told if "missing" not in str(value)], sampled)


def test_a_queue_is_still_answered_with_workers(tmp_path: Path) -> None:
    """Rows and listeners do not need /proc: the server grows, and no further than its maximum."""
    with serving(tmp_path, HIDDEN, max_workers=4) as server, steady(server) as load:
        for _ in range(6):
            server.hold("/sleep?s=3")
        server.wait_for_log(r"autotune: resize workers=2->\d action=grow")
        load.answered(20)
        target = server.status()["target"]

    assert ([], True) == (load.failed, 2 < target <= 4)
