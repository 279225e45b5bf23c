"""An app that keeps 1 MB of every request, under the memory limits of a service; plain Gunicorn beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.steady import steady
from tests.server import wait_for
from tests.vm.inside.units import PATIENCE_SECONDS, service

REQUESTS, REQUESTS_PER_SECOND = 480, 12.0
WORKERS = 3
LEAK = {"KEPT_BYTES": "1000000"}
Record = Callable[[str, object], None]


def leak(*properties: str, **how: Any) -> tuple[int, int]:
    """Requests that failed, and processes that the kernel killed."""
    with service(*properties, config=f"workers = {WORKERS}", app="leaking:app", env=LEAK, **how) as server:
        with steady(server, "/", requests_per_second=REQUESTS_PER_SECOND, patience_seconds=30.0) as load:
            wait_for(lambda: load.asked >= REQUESTS, "the end of the load", PATIENCE_SECONDS)
        return len(load.failed), server.events("oom_kill")


@pytest.mark.timeout(600)
def test_nothing_fails_and_nobody_is_killed_under_a_maximum(record_property: Record) -> None:
    """MemoryMax alone: workers leave before the kernel takes them."""
    failed, killed = leak("MemoryMax=300M")
    record_property("failed", f"{failed} of {REQUESTS}")
    record_property("OOM kills", killed)

    assert (0, 0) == (failed, killed)


@pytest.mark.timeout(600)
def test_nothing_fails_below_a_high_mark(record_property: Record) -> None:
    """MemoryHigh under MemoryMax: without swap the kernel makes everybody wait above it; ours stays below."""
    failed, killed = leak("MemoryHigh=250M", "MemoryMax=300M")
    record_property("failed", f"{failed} of {REQUESTS}")
    record_property("OOM kills", killed)

    assert (0, 0) == (failed, killed)


@pytest.mark.timeout(600)
def test_plain_gunicorn_is_killed_there(record_property: Record) -> None:
    """That this leak is one: the comparison of the two above."""
    failed, killed = leak("MemoryMax=300M", ours=False)
    record_property("failed", f"{failed} of {REQUESTS}")
    record_property("OOM kills", killed)

    assert killed > 0
