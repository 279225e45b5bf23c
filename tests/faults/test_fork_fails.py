"""The host refuses another process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import serving, wait_for

pytestmark = pytest.mark.real

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
        for _ in range(8):
            server.hold("/sleep?s=8")
        server.wait_for_log("autotune: worker could not start why='fork failed")
        server.wait_for_log("action=rollback reason=boot_failed")
        alive = server.process.poll()
        (tmp_path / "no-more").unlink()
        grown = wait_for(lambda: len(server.pids()) > 2, "growth after the back-off")
        answer = server.get("/")[0]

    assert (alive, grown, answer) == (None, True, 200)
