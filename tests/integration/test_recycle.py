"""A worker that grows is replaced before the cgroup's memory runs out, its replacement first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cgroups import own_group
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
LIMIT_BYTES = 256 << 20


@pytest.mark.once
@pytest.mark.timeout(300)
def test_growing_workers_are_recycled_and_nobody_notices(tmp_path: Path) -> None:
    """Requests keep memory for good: workers are replaced, every request is answered, nobody is OOM killed."""
    with own_group("memory") as group:
        group.limit_memory(LIMIT_BYTES)
        with serving(tmp_path, group.join, app="leaking:app", max_workers=6) as server:
            server.wait_for_ready(2)
            answers = {server.get()[0] for _ in range(700)}
            # Replacement first where it fits; this leak is fast, so it may not.
            server.wait_for_log(r"workers=\d+->\d+ action=shrink reason=(recycle|drain_first) cause=memory")
            server.wait_for_log(r"workers=\d+->\d+ action=grow reason=recycle cause=memory")
            wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="recycle_memory"}'), "a counted exit")
            killed = server.metric('gunicorn_worker_exits_total{reason="oom_kill"}')

    assert (answers, killed) == ({200}, 0.0)
