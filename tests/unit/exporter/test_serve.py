"""The exporter as a process: what clients and operators see of it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gunicorn_autotune.exporter.address import LEAVE_SIGNAL
from tests.server import wait_for
from tests.unit.exporter.running import ROOT, Exporter, exporting, fetch, raw

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """One exporter for all tests that only ask."""
    with exporting() as exporter:
        yield exporter.port


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/", "text/plain", b"/status.json"),
        ("/metrics", "text/plain; version=0.0.4", b"gunicorn_worker_pid"),
        ("/metrics?name[]=x", "text/plain; version=0.0.4", b"gunicorn_worker_pid"),
        ("/status.json", "application/json", b'"workers"'),
        ("/-/healthy", "text/plain", b"healthy"),
        ("/-/ready", "text/plain", b"ready"),
    ],
)
def test_every_path_answers(port: int, path: str, kind: str, part: bytes):
    """Each path of the index is there, with its own content type."""
    response = fetch(port, path)

    assert (
        response.status,
        response.headers["content-type"].startswith(kind),
        part in response.body,
    ) == (200, True, True)


@pytest.mark.parametrize("path", ["/", "/metrics", "/status.json", "/-/healthy", "/nothing"])
def test_head_has_the_length_of_get_and_no_body(port: int, path: str):
    """A probe may ask with HEAD (prometheus_client's own server answers 405)."""
    head, get = fetch(port, path, "HEAD"), fetch(port, path)

    assert head.body == b""
    assert get.status == head.status
    # Figures move between the two requests: a clock gains a digit now and then.
    assert abs(int(head.headers["content-length"]) - len(get.body)) <= 8


def test_unknown_path_is_404(port: int):
    """No other path answers with metrics."""
    assert fetch(port, "/metrics/").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_other_methods_are_405_with_allow(port: int, method: str):
    """The exporter is read-only."""
    response = fetch(port, "/metrics", method)

    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


def test_openmetrics_and_gzip_are_answered_as_asked(port: int):
    """The way Prometheus asks."""
    asked = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    response = fetch(port, headers=asked)

    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert gzip.decompress(response.body).endswith(b"# EOF\n")


def test_head_of_a_request_is_bounded(port: int):
    """Headers without end are refused after 16 KiB, not collected."""
    with raw(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_slow_clients_block_nobody_and_are_dropped(port: int):
    """A client that trickles its request holds one thread for five seconds in all, others are served meanwhile."""
    started = time.monotonic()
    with raw(port, b"GET / HT") as slow:
        assert fetch(port).status == 200
        assert time.monotonic() - started < 4

        def dropped() -> bool:
            slow.settimeout(0.2)
            try:
                slow.sendall(b"T")
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        wait_for(dropped, "the slow client dropped", 10)
        assert time.monotonic() - started > 4


def test_more_connections_than_threads_are_all_served_in_the_end(port: int):
    """Sixteen idle connections fill the exporter; the next request waits for their time-out and is answered."""
    idle = [raw(port, b"") for _ in range(20)]
    try:
        assert fetch(port, "/-/healthy").status == 200
    finally:
        for connection in idle:
            connection.close()


def test_signals_that_mean_the_arbiter_are_ignored_and_its_own_ends_it_with_zero():
    """Ctrl-C goes to the foreground group and SIGTERM to a whole unit; exit codes 3 and 4 would halt old Gunicorns."""
    with exporting() as exporter:
        port = exporter.port
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
            exporter.process.send_signal(number)
        assert fetch(port).status == 200
        exporter.process.send_signal(LEAVE_SIGNAL)
        assert exporter.process.wait(10) == 0


PARENT = """
import json, subprocess, sys, time
command = [sys.executable, "-m", "tests.unit.exporter.fake_exporter", sys.argv[1]]
print(subprocess.Popen(command).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("taken", [False, True])
def test_exporter_ends_when_its_parent_is_gone(taken: bool):
    """Also while it waits for a port: a killed arbiter leaves nothing behind."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        given = json.dumps({"metrics": f"127.0.0.1:{owner.getsockname()[1] if taken else 0}", "retry_seconds": 30})
        parent = subprocess.Popen([sys.executable, "-c", PARENT, given], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.stdout.readline()  # it listens, or waits for the port
        parent.kill()
        parent.wait(10)
        wait_for(lambda: gone(child), "the exporter gone")
        parent.stdout.close()


def gone(pid: int) -> bool:
    """A process that was reaped, or waits to be by an init that never does."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text() or os.kill(pid, 0) is not None
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_scrape_that_fails_is_answered_told_once_and_harms_no_other_path(exporter_with_a_broken_file: Exporter):
    """The app's own broken metrics file costs one log line."""
    port = exporter_with_a_broken_file.port
    assert [fetch(port).status for _ in range(2)] == [200, 200]
    exporter_with_a_broken_file.wait_for_line("exporter: multiprocess file left out")
    assert sum("left out" in line for line in exporter_with_a_broken_file.lines) == 1


@pytest.fixture
def exporter_with_a_broken_file(tmp_path: Path) -> Iterator[Exporter]:
    """One empty file lies in its directory."""
    (tmp_path / "counter_1.db").write_bytes(b"")
    with exporting(multiprocess_directory=str(tmp_path)) as exporter:
        yield exporter
