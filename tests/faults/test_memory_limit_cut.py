"""The memory limit of the running server's cgroup is cut to just above what is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cgroups import MIB, own_group
from tests.faults.steady import steady
from tests.server import Server, serving

pytestmark = pytest.mark.real
WORKERS = 5


def used_bytes(server: Server) -> int:
    """Memory used of the limit, once all workers have been measured."""
    server.wait_for_ready(WORKERS)
    server.wait_for_sizes()
    used: int = server.status()["host"]["memory_used_bytes"]
    return used


@pytest.mark.once
def test_workers_leave_until_the_reserve_is_free_and_nobody_notices(tmp_path: Path) -> None:
    """Over the reserve the count goes down and never up, the cut is counted, every request is answered."""
    with own_group("memory") as group:
        group.limit_memory(1024 * MIB)
        config = group.join + f"workers = {WORKERS}"
        with serving(tmp_path, config, app="heavy:app", max_workers=WORKERS) as server, steady(server) as load:
            cut_to = used_bytes(server) * 21 // 20
            group.limit_memory(cut_to)
            server.wait_for_log(rf"workers={WORKERS}->{WORKERS - 1} action=shrink reason=memory")
            server.wait_for_status(lambda status: status["host"]["memory_used_bytes"] < 0.9 * cut_to, "a free reserve")
            load.answered(40)
            grown = server.log.count("action=grow")
            changes = server.metric('gunicorn_autotune_limit_changes_total{resource="memory"}')
            killed = server.metric('gunicorn_worker_exits_total{reason="oom_kill"}')

    assert ([], 0, 1, 0) == (load.failed, grown, changes, killed)
