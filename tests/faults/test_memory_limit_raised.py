"""The memory limit of the running server's cgroup is raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cgroups import MIB, own_group
from tests.faults.steady import steady
from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_workers_that_did_not_fit_are_started(tmp_path: Path) -> None:
    """Long requests take all the workers that fit; with more memory the cap rises, more workers come, none waits on."""
    with own_group("memory") as group:
        group.limit_memory(200 * MIB)
        with serving(tmp_path, group.join, app="heavy:app") as server:
            server.wait_for_ready(2)
            server.wait_for_status(lambda status: 2 <= status["caps"].get("memory", 9) <= 3, "a memory cap")
            with steady(server, patience_seconds=40) as load:
                for _ in range(3):
                    server.hold("/sleep?s=15")
                server.wait_for_status(
                    lambda status: status["decision"]["reason"] == "at_memory_cap", "growth that memory forbids"
                )
                group.limit_memory(1024 * MIB)
                server.wait_for_status(lambda status: status["caps"]["memory"] > 6, "a higher cap")
                server.wait_for_log(r"workers=\d->\d action=grow reason=(backlog|all_busy)")
                server.wait_for_status(lambda status: status["target"] > 3, "more workers than fitted before")
                load.answered(20)
            changes = server.metric('gunicorn_autotune_limit_changes_total{resource="memory"}')

    assert ([], 1) == (load.failed, changes)
