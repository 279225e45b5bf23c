"""The cgroup's limit of processes leaves no room for another worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cgroups import own_group
from tests.faults.steady import steady
from tests.server import serving

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_growth_waits_for_room_and_nobody_notices(tmp_path: Path) -> None:
    """Workers that could not be forked are not tried: the cap is read off the metrics, and with room they come."""
    with own_group("pids") as group, serving(tmp_path, group.join) as server:
        server.wait_for_ready(2)
        group.limit_pids(0)
        server.wait_for_status(lambda status: status["caps"].get("pids", 9) <= 2, "a cap by processes")
        with steady(server, patience_seconds=40) as load:
            for _ in range(2):
                server.hold("/sleep?s=15")
            server.wait_for_status(lambda status: status["decision"]["reason"] == "at_pids_cap", "a named cap")
            grown = server.log.count("action=grow")
            group.limit_pids(100)
            server.wait_for_log(r"autotune: resize workers=2->\d action=grow")
            load.answered(20)
        failures = server.log.count("worker could not start")

    assert ([], 0, 0) == (load.failed, grown, failures)
