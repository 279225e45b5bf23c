"""The CPU quota of the running server's cgroup is cut to a tenth."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cgroups import own_group
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
MAX_WORKERS = 24


def test_cpu_is_named_and_the_count_does_not_run_to_the_maximum(tmp_path: Path) -> None:
    """More is asked than the quota allows: no crowd of workers is started, and whoever waits is answered."""
    with own_group("cpu") as group:
        group.limit_cpu(1.0)
        config = group.join + "backlog = 512"
        with serving(tmp_path, config, max_workers=MAX_WORKERS) as server:
            server.wait_for_status(lambda status: status["host"]["cpu_quota_cores"] == 1.0, "the quota")
            with steady(server, "/spin?s=0.02", requests_per_second=10.0, patience_seconds=60.0) as load:
                group.limit_cpu(0.1)
                server.wait_for_status(lambda status: status["host"]["cpu_quota_cores"] == 0.1, "a smaller quota")
                server.wait_for_status(lambda status: status["bottleneck"] == "cpu", "the bottleneck")
                load.answered(10)
                # With a tenth of a core the exporter may be slower than a client's patience: asked again.
                target = wait_for(lambda: server.status()["target"], "the target")
                changes = wait_for(
                    lambda: server.metric('gunicorn_autotune_limit_changes_total{resource="cpu"}'), "a count"
                )
                group.limit_cpu(None)
                load.answered(20)

    assert ([], 1) == (load.failed, changes)
    assert target <= MAX_WORKERS // 2
