"""The arbiter may open few files: growth stops in time, and a reload goes well."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from tests.faults.processes import open_files
from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
LIMIT = 40
FEW = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))\npreload_app = True\n"


def _reload(server: Server) -> None:
    """HUP, until none of the workers that were there is."""
    before = set(server.pids())
    server.signal(signal.SIGHUP)
    wait_for(lambda: (now := set(server.pids("idle", "busy"))) and not now & before, f"a whole new set\n{server.log}")


def test_growth_leaves_the_descriptors_that_a_reload_needs(tmp_path: Path) -> None:
    """`ulimit -n 40` under load: no failed fork, the cap is named, and after HUP every request has its answer."""
    with serving(tmp_path, FEW + "graceful_timeout = 2", max_workers=60) as server:
        cap = wait_for(lambda: int(server.metric('gunicorn_autotune_workers_cap{limit="files"}')), "the cap")
        for _ in range(cap + 8):
            server.hold("/sleep?s=2")
        server.wait_for_status(lambda status: status["decision"]["reason"] == "at_files_cap", "the cap named")
        grown = len(server.pids())
        wait_for(lambda: not server.pids("busy"), "calm again")
        with steady(server) as load:
            _reload(server)
            load.answered(10)
        used, failures = open_files(server.process.pid), server.log.count("fork failed")

    assert (load.failed, failures, grown <= cap, used < LIMIT) == ([], 0, True, True)


def test_a_limit_that_is_lowered_under_the_server_costs_no_reload(tmp_path: Path) -> None:
    """prlimit: a second set does not fit any more, so the workers are replaced in batches."""
    with serving(tmp_path, "preload_app = True", min_workers=6, max_workers=6, recycle_lifetime_seconds=0,
                 recycle_gap_seconds=0) as server:  # fmt: skip
        server.wait_for_ready(6)
        limit = open_files(server.process.pid) + 3
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        server.wait_for_status(lambda status: status["host"]["files_limit"] == limit, "the new limit seen")
        with steady(server) as load:
            _reload(server)
            load.answered(10)
        told = "reload in batches" in server.log

    assert (load.failed, told, server.process.returncode) == ([], True, 0)
