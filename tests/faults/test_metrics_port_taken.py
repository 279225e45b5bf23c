"""Somebody else has the metrics port."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.faults.steady import steady
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]


def test_a_taken_port_is_told_once_and_had_when_free(tmp_path: Path) -> None:
    """The server serves on, one line says why there are no metrics, and they appear when the port is free."""
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with serving(tmp_path, metrics=f"127.0.0.1:{port}", ready=False) as server:
            server.metrics_port = port
            server.wait_for_log("autotune: exporter: cannot listen")
            wait_for(lambda: server.get("/")[0] == 200, "the first answer")
            with steady(server) as load:
                load.answered(10)
                squatter.close()
                wait_for(lambda: server.status()["ready"], "metrics on the freed port")
            told, mode = server.log.count("cannot listen"), server.status()["mode"]

    assert (load.failed, told, mode) == ([], 1, "active")
