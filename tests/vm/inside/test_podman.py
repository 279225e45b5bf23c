"""Gunicorn as the first process of a container: limits, users and sandboxes of podman, on the machine's own files."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.steady import steady
from tests.server import APPS, SOURCE, Server, wait_for
from tests.vm.inside.units import MIB, PATIENCE_SECONDS, busy, write_config

_numbers = itertools.count(1)


@contextmanager
def container(*options: str, config: str = "workers = 2", **settings: Any) -> Iterator[Server]:
    """`podman run` in the foreground: its process passes signals on, as Docker's does."""
    name = f"tested-pod-{next(_numbers)}"
    folder = Path("/srv") / name
    port, metrics_port = write_config(folder, config, {"max_workers": 2} | settings)
    words = ["podman", "run", "--rm", "--name", name, "--network=host", "--workdir", str(folder)]
    words += ["--env", f"PYTHONPATH={APPS}:{SOURCE}", *options, "--rootfs", "/:O"]
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [*words, sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "plain:app"], stdout=log, stderr=log
        )
    server = Server(process, folder, port, metrics_port)
    try:
        wait_for(lambda: server.status()["ready"], f"a ready worker\n{server.log[-3000:]}", PATIENCE_SECONDS)
        yield server
    finally:
        server.stop()
        subprocess.run(["podman", "rm", "--force", "--ignore", name], check=False, capture_output=True)


@pytest.mark.parametrize("namespace", ["private", "host"])
def test_its_limits_are_found(namespace: str) -> None:
    """Whether the container sees its own cgroup as the root or the host's tree."""
    with container("-m", "300m", "--cpus", "0.5", f"--cgroupns={namespace}") as server:
        host = server.wait_for_status(lambda status: status["host"], "limits", PATIENCE_SECONDS)

    assert (300 * MIB, 0.5) == (host["memory_limit_bytes"], host["cpu_limit_cores"])


def test_a_stranger_with_nothing_to_write_to_and_no_capability_serves_and_is_measured() -> None:
    """A uid without a name, a read-only root, no capabilities: requests are answered and memory is read."""
    with container("--user", "12345:12345", "--read-only", "--cap-drop", "all") as server:
        server.wait_for_sizes()
        status, _ = server.get("/")

    assert status == 200


def test_stopped_under_load_it_answers_what_it_took() -> None:
    """As the first process, without an init: TERM ends it in time, and no request that a worker took is lost.

    Connections that wait in the backlog then are reset, as plain Gunicorn does without a socket of systemd.
    """
    with container("-m", "300m") as server:
        client = server.hold("/sleep?s=2")
        server.wait_for_status(busy, "a busy worker", PATIENCE_SECONDS)
        with steady(server, requests_per_second=5.0) as load:
            server.process.terminate()
            code = server.process.wait(30)
            load.end()
            load.settled()
        answer = client.recv(100)

    assert (0, b"HTTP/1.1 200 OK") == (code, answer[:15])
    assert [one for one in load.failed if "ConnectionResetError" not in one and "ConnectionRefused" not in one] == []
