"""A service under CPUQuota: throttling is a lack of CPU, and no crowd of workers is started against it."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.steady import steady
from tests.vm.inside.units import PATIENCE_SECONDS, service

MAX_WORKERS = 24
Record = Callable[[str, object], None]


def test_a_full_quota_is_named_and_a_raised_one_is_used(record_property: Record) -> None:
    """Half a core and a load of one: `cpu`, few workers; then two cores, and the load is answered."""
    with service("CPUQuota=50%", config="backlog = 512", max_workers=MAX_WORKERS) as server:
        server.wait_for_host("cpu_limit_cores", 0.5)
        with steady(server, "/spin?s=0.1", requests_per_second=10.0, patience_seconds=PATIENCE_SECONDS) as load:
            server.wait_for_status(lambda status: status["bottleneck"] == "cpu", "the verdict", PATIENCE_SECONDS)
            target = server.wait_for_status(lambda status: status["target"], "the target", PATIENCE_SECONDS)
            throttled = server.events("nr_throttled", "cpu.stat")
            server.set("CPUQuota=200%")
            server.wait_for_host("cpu_limit_cores", 2.0)
            load.answered(60)
    record_property("workers under the quota", target)
    record_property("failed", f"{len(load.failed)} of {load.sent}")

    assert (load.failed, target <= MAX_WORKERS // 2, throttled > 0) == ([], True, True)
