"""Somebody else under the same CPU quota uses it up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.cgroups import Group, own_group
from tests.server import serving

pytestmark = pytest.mark.real
QUOTA_CORES = 0.2
BURN = "import os, sys\nopen(sys.argv[1], 'w').write(str(os.getpid()))\nwhile True: pass"


@contextmanager
def burners(group: Group, count: int = 3) -> Iterator[None]:
    """Processes in the group that always want a core."""
    processes = [subprocess.Popen([sys.executable, "-c", BURN, str(group.procs)]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_cpu_is_named_though_the_workers_use_little_of_it(tmp_path: Path) -> None:
    """Requests wait, our workers have a part of the quota alone, and it is not taken for want of workers."""
    with own_group("cpu") as group, serving(tmp_path, group.join, max_workers=8) as server:
        for _ in range(6):
            server.hold("/spin?s=0.4")
        with burners(group):
            group.limit_cpu(QUOTA_CORES)
            told = server.wait_for_status(
                lambda status: (
                    status["bottleneck"] == "cpu"
                    and status["decision"]["facts"].get("quota_full_share", 0.0) >= 0.9
                    and status["decision"]["facts"]
                ),
                "the bottleneck",
            )
            group.limit_cpu(None)

    assert told["cpu_cores_used"] < 0.9 * QUOTA_CORES
