"""A worker that grows is replaced before the cgroup's memory runs out, its replacement first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import serving, wait_for

pytestmark = pytest.mark.real
V1_MEMORY = Path("/sys/fs/cgroup/memory")
LIMIT_BYTES = 256 << 20
JOIN = "from pathlib import Path\nimport os\nPath({procs!r}).write_text(str(os.getpid()))\n"


@pytest.fixture
def limited() -> Iterator[Path]:
    """A memory cgroup of 256 MiB, v1 or v2, for the server to join; removed afterwards."""
    v1 = V1_MEMORY.is_dir()
    group = (V1_MEMORY if v1 else Path("/sys/fs/cgroup")) / f"autotune-recycle-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if v1 else "memory.max")).write_text(str(LIMIT_BYTES))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        if os.environ.get("CI") == "true" and V1_MEMORY.is_dir():
            raise
        pytest.skip(f"cannot make a memory cgroup: {error}")
    yield group
    wait_for(lambda: not (group / "cgroup.procs").read_text(), "the cgroup to be empty")
    group.rmdir()


def test_growing_workers_are_recycled_and_nobody_notices(tmp_path: Path, limited: Path) -> None:
    """Requests keep memory for good: workers are replaced, every request is answered, nobody is OOM killed."""
    config = JOIN.format(procs=str(limited / "cgroup.procs"))
    with serving(tmp_path, config, app="leaking:app", max_workers=6) as server:
        server.wait_for_ready(2)
        answers = {server.get()[0] for _ in range(700)}
        grown = server.wait_for_log(r"workers=\d+->\d+ action=grow reason=recycle")
        gone = server.wait_for_log(r"workers=\d+->\d+ action=shrink reason=recycle")
        recycled = server.metric('gunicorn_worker_exits_total{reason="recycle_memory"}')
        killed = server.metric('gunicorn_worker_exits_total{reason="oom_kill"}')

    assert (bool(grown), bool(gone), answers, recycled >= 1, killed) == (True, True, {200}, True, 0.0)
