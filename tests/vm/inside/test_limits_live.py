"""`systemctl set-property` on a running service: the server sees every limit within a few ticks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.server import wait_for
from tests.vm.inside.units import CGROUPS, MIB, PATIENCE_SECONDS, Service, service, systemctl

NEIGHBOUR = "import time; held = bytearray(b'x') * (300 << 20); time.sleep(900)"


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """One for all limits of this page; its count is fixed."""
    with service(config="workers = 2", max_workers=2) as running:
        yield running


@pytest.mark.parametrize(
    ("limit", "name", "value"),
    [
        ("MemoryMax=600M", "memory_limit_bytes", 600 * MIB),
        ("MemoryHigh=500M", "memory_limit_bytes", 500 * MIB),
        ("CPUQuota=50%", "cpu_limit_cores", 0.5),
        ("CPUQuota=250%", "cpu_quota_cores", 2.5),
        ("AllowedCPUs=0", "cpu_limit_cores", 1.0),
        ("TasksMax=300", "pids_limit", 300),
    ],
)
def test_a_limit_that_changes_is_seen(server: Service, limit: str, name: str, value: float) -> None:
    """In status.json, without a reload."""
    server.set(limit)
    server.wait_for_host(name, value)


def test_the_slice_counts_when_a_neighbour_leaves_less_room_in_it_than_the_service_may_take() -> None:
    """The least room, not the least limit: 400M of the slice with 300M taken, against 300M of its own."""
    with (
        service("Slice=tested.slice", "MemoryMax=300M", config="workers = 2", max_workers=2) as server,
        neighbour("tested.slice"),
    ):
        server.wait_for_host("memory_limit_bytes", 300 * MIB)
        systemctl("set-property", "--runtime", "tested.slice", "MemoryMax=400M")
        server.wait_for_host("memory_limit_bytes", 400 * MIB)
        used = server.status()["host"]["memory_used_bytes"]

    assert used > 300 * MIB


@contextmanager
def neighbour(slice_name: str) -> Iterator[None]:
    """Somebody else's service, with 300 MiB."""
    words = ["systemd-run", "--quiet", "--collect", "--unit=neighbour", f"--slice={slice_name}"]
    subprocess.run([*words, sys.executable, "-c", NEIGHBOUR], check=True)
    try:
        group = CGROUPS / slice_name / "neighbour.service"
        wait_for(
            lambda: int((group / "memory.current").read_text()) > 300 * MIB,
            "a neighbour with 300 MiB",
            PATIENCE_SECONDS,
        )
        yield
    finally:
        systemctl("stop", "neighbour.service")
        systemctl("set-property", "--runtime", slice_name, "MemoryMax=infinity")
