"""The host refuses another process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.cgroups import own_group
from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
TOO_MUCH_FOR_TWO = {"path": "/sleep?s=0.15", "requests_per_second": 15.0}
REFUSED = "autotune: worker could not start why='fork failed"

REFUSING_FORK = """
import os
from gunicorn_autotune.runtime import install as _install
fork, forked = os.fork, []
def counted_fork():
    if os.path.exists("no-more"):
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = counted_fork
"""


def test_growth_is_rolled_back_and_tried_again(tmp_path: Path) -> None:
    """EAGAIN from fork would end Gunicorn's loop; the server keeps its workers, waits, and grows when it can."""
    with serving(tmp_path, REFUSING_FORK, boot_backoff_seconds=1.0) as server:
        server.wait_for_ready(2)
        (tmp_path / "no-more").touch()
        with steady(server, **TOO_MUCH_FOR_TWO) as load:
            server.wait_for_log(REFUSED)
            server.wait_for_log("action=rollback reason=boot_failed")
            (tmp_path / "no-more").unlink()
            wait_for(lambda: len(server.pids()) > 2, "growth after the back-off")
        alive, mode = server.process.poll(), server.status()["mode"]

    assert (load.failed, alive, mode) == ([], None, "active")


def test_a_dead_worker_that_the_kernel_does_not_let_us_replace(tmp_path: Path) -> None:
    """The cgroup is full when a worker dies: the others serve, the fork is tried again, then the count is back."""
    with (
        own_group("pids") as group,
        serving(tmp_path, group.join, min_workers=3, max_workers=3, boot_backoff_seconds=0.5) as server,
    ):
        victim = server.wait_for_ready(3)[0]
        group.limit_pids(-2)
        with steady(server) as load:
            os.kill(victim, signal.SIGKILL)
            server.wait_for_log(REFUSED, count=2)
            load.answered(10)
            group.limit_pids(None)
            server.wait_for_ready(3)
        alive, mode = server.process.poll(), server.status()["mode"]

    assert (len(load.failed) <= 1, alive, mode) == (True, None, "active"), load.failed


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_who_only_observes_leaves_a_failed_fork_to_gunicorn(mode: str, tmp_path: Path) -> None:
    """Plain Gunicorn (off) ends with 255, for its supervisor; observing changes neither that nor a count."""
    with serving(tmp_path, f"workers = 2\n{REFUSING_FORK}", mode=mode, ready=False) as server:
        pids = server.wait_for_workers(2)
        (tmp_path / "no-more").touch()
        os.kill(pids[0], signal.SIGKILL)
        code = wait_for(server.process.poll, "its end")

    assert (code, "rollback" in server.log) == (255, False)
