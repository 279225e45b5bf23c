"""The cgroup's count of OOM kills (memory.events, memory.oom_control) cannot be read."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.hosts import FIXTURE_HOST
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
UNREADABLE = """
(root / "cg/app/memory.events").unlink(missing_ok=True)
(root / "cg/app/memory.events").mkdir(exist_ok=True)
"""


def test_a_killed_worker_is_not_taken_for_an_oom_kill(tmp_path: Path) -> None:
    """The count is missing with the reason and never 0; limit and use are read on; the death counts as a signal."""
    with serving(tmp_path, FIXTURE_HOST + UNREADABLE, max_workers=2) as server, steady(server) as load:
        server.wait_for_ready(2)
        count = server.status()["host"]["oom_kills"]
        limit = server.metric("gunicorn_autotune_limit_memory_bytes")
        os.kill(server.pids()[0], signal.SIGKILL)
        wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="signal"}') == 1, "a counted exit")
        load.answered(20)

    assert ("Is a directory" in str(count), 256 << 20) == (True, limit)
    assert len(load.failed) <= 1
