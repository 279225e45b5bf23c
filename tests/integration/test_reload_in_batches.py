"""HUP doubles the set, and so the memory: where that does not fit, the workers are replaced in batches that do."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cgroups import MIB, Group, own_group
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
WORKERS = 3
BALLAST_BYTES = {"BALLAST_BYTES": "45000000"}


@pytest.fixture
def limited() -> Iterator[Group]:
    """A memory cgroup of 256 MiB."""
    with own_group("memory") as group:
        group.limit_memory(256 * MIB)
        yield group


def test_every_worker_is_replaced_and_nobody_notices(tmp_path: Path, limited: Group) -> None:
    """Said in the log; no request fails, one that runs is answered by its old worker, the kernel kills nobody."""
    config = limited.join + f"workers = {WORKERS}"
    settings = {"min_workers": WORKERS, "max_workers": WORKERS}
    with serving(tmp_path, config, app="ballast:app", env=BALLAST_BYTES, **settings) as server:
        old = server.wait_for_ready(WORKERS)
        server.wait_for_sizes()
        running = server.hold("/?4")
        wait_for(lambda: server.pids("busy"), "the long request to run")
        with steady(server, "/") as load:
            server.signal(signal.SIGHUP)
            server.wait_for_log("reload in batches, a second set of workers does not fit")
            wait_for(lambda: not set(old) & set(server.pids()), "all of the old workers to be gone")
        server.wait_for_ready(WORKERS)
        wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="reload"}') == WORKERS, "all exits counted")
        killed = server.metric('gunicorn_worker_exits_total{reason="oom_kill"}')
        answer = running.makefile("rb").read().partition(b"\r\n\r\n")[2]

    assert (load.failed, int(answer) in old, killed) == ([], True, 0)


def test_a_second_set_that_fits_is_started_as_ever(tmp_path: Path, limited: Group) -> None:
    """Small workers: Gunicorn's own reload, at once."""
    config = limited.join + "workers = 2"
    with serving(tmp_path, config) as server:
        old = server.wait_for_ready(2)
        server.signal(signal.SIGHUP)
        wait_for(lambda: not set(old) & set(server.pids()), "all of the old workers to be gone")
        batches = "in batches" in server.log

    assert not batches
