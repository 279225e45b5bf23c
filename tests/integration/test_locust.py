"""Locust, as a process of its own, plays a trace against a small server and ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from benchmarks.contest.closed import NotMeasuredError, closed, run
from benchmarks.contest.traces import Trace
from benchmarks.contest.workloads import WORKLOADS, shortened

from tests.server import free_port

pytestmark = [pytest.mark.real, pytest.mark.once]
ROOT = Path(__file__).parents[2]


class Answering(BaseHTTPRequestHandler):
    """200 for everything; keeps what it was asked for."""

    def do_GET(self) -> None:
        """Answer at once."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Listening(ThreadingHTTPServer):
    """Holds all users of a trace that come at once."""

    request_queue_size = 128
    daemon_threads = True


@pytest.fixture
def server() -> Iterator[Listening]:
    """A server on a port of its own."""
    listening = Listening(("127.0.0.1", free_port()), Answering)
    listening.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield listening
    listening.shutdown()
    thread.join()
    listening.server_close()


def by_hand(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Locust as one would type it."""
    line = [sys.executable, "-m", "locust", "-f", "benchmarks/locustfile.py", "--headless", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_trace_gives_figures(server: Listening) -> None:
    """Every request that arrived is in the figures, none failed, and the users are the trace's."""
    workload = shortened(WORKLOADS["leak"])
    found = closed(workload, server.server_port, seed=1)

    assert found["workload"] == "leak"
    assert found["label"] == "closed loop"
    assert found["users_most"] == Trace(workload).users_most
    assert found["requests"] == len(server.asked)  # type: ignore[attr-defined]
    assert found["requests"] > 0
    assert found["failed"] == 0
    assert found["p50_seconds"] <= found["p95_seconds"] <= found["p99_seconds"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--trace", "nonsense", "--host", "http://127.0.0.1:1"], "argument --trace: invalid choice: 'nonsense'"),
        (["--peak", "0", "--host", "http://127.0.0.1:1"], "argument --peak: '0' must be a number above 0"),
        (["--peak", "1e6", "--host", "http://127.0.0.1:1"], "locustfile: trace = step, 1101000 users, must be at most"),
        (["--trace", "io"], "locustfile: --host = None, must be given and start with http"),
    ],
)
def test_what_cannot_run_is_refused_in_a_line(arguments: list[str], why: str) -> None:
    """Exit code 2, the line says what is wrong, and no traceback."""
    done = by_hand(*arguments)

    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_does_not_end_is_ended() -> None:
    """In one line after its time, and no process is left."""
    marker = "import time; time.sleep(61.25)"
    with pytest.raises(NotMeasuredError, match=r"^Locust did not end within 0.2 s and was stopped$"):
        run([sys.executable, "-c", marker], 0.2)

    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if marker in text_of(path)] == []


def text_of(path: Path) -> str:
    """A file of /proc, empty when its process has gone."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
