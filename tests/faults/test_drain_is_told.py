"""A server is stopped while a request runs: whoever asks is told so until that request has its answer."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from tests.faults.processes import ended, exporter_pid
from tests.server import serving, wait_for

pytestmark = pytest.mark.real
PATHS = ("/-/ready", "/-/healthy", "/metrics")


@pytest.mark.parametrize("whole_unit", [False, True], ids=["arbiter", "unit"])
def test_a_draining_server_is_alive_and_not_ready_until_the_end(whole_unit: bool, tmp_path: Path) -> None:
    """SIGTERM to the arbiter (Docker), or to every process of the unit (systemd's default): both mean a drain."""
    with serving(tmp_path, "workers = 2\ngraceful_timeout = 20", max_workers=2) as server:
        pids, exporter = server.wait_for_ready(2), exporter_pid(server)
        request = server.hold("/sleep?s=2.5")
        wait_for(lambda: server.pids("busy"), "a running request")
        for pid in (server.process.pid, *((*pids, exporter) if whole_unit else ())):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: server.exporter("/-/ready")[0] == 503, "not ready any more")
        told = set()
        while not select.select([request], [], [], 0.05)[0]:
            told.add(tuple(server.exporter(path)[0] for path in PATHS))
        answered = request.recv(100).startswith(b"HTTP/1.1 200 ")
        code = server.process.wait(20)
        wait_for(lambda: ended(exporter), "the end of the exporter")

    assert (told, answered, code) == ({(503, 200, 200)}, True, 0)
