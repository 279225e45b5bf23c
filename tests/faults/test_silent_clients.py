"""A client that connects and sends nothing, or not all, holds a sync worker or a thread: busy, no spare capacity."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.listeners import plain
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
SOON = {"min_workers": 1, "max_workers": 4, "calm_seconds": 0, "scale_down_window_seconds": 1}
"""Two workers that are not needed become one within a second or two."""
HALF = b"GET / HTTP/1.1\r\nConnection: close\r\nHost: local"
CONFIG = "workers = 2\ntimeout = 60\ngraceful_timeout = 1"


@contextmanager
def client(port: int, sent: bytes) -> Iterator[socket.socket]:
    """Connected, and no more said than that."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
        connected.sendall(sent)
        yield connected


def _states(server: Server) -> list[str]:
    return sorted(worker["state"] for worker in server.status()["workers"])


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: local", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
def test_its_worker_is_busy_until_it_is_gone(sent: bytes, tmp_path: Path) -> None:
    """And idle again after it."""
    with serving(tmp_path, CONFIG, mode="observe", app="reading:app") as server:
        server.wait_for_ready(2)
        with client(server.port, sent):
            wait_for(lambda: _states(server) == ["busy", "idle"], "one busy worker")
        wait_for(lambda: _states(server) == ["idle", "idle"], "idle workers")


def test_no_shrink_takes_the_worker_it_needs(tmp_path: Path) -> None:
    """Its slot counts as taken, so two workers are not one too many; and it is answered, as on plain Gunicorn."""
    with (
        serving(tmp_path, CONFIG, **SOON) as server, plain(tmp_path / "plain", "-w", "2", "plain:app") as port,
        client(server.port, b"") as ours, client(port, b"") as theirs,
    ):  # fmt: skip
        load = server.wait_for_status(
            lambda status: load if (load := status["decision"]["facts"].get("load_slots", 0.0)) > 0.8 else None, "load"
        )
        since = server.status()["monotonic"]
        later = server.wait_for_status(lambda status: status if status["monotonic"] > since + 2.0 else None, "2 s")
        answers = []
        for waiting in (ours, theirs):
            waiting.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answers.append(waiting.recv(15))

    assert (answers, later["target"] >= 2, load <= 1.0) == ([b"HTTP/1.0 200 OK"] * 2, True, True)


def test_a_thread_that_reads_a_slow_head_is_not_idle(tmp_path: Path) -> None:
    """gthread: its worker is busy, its slot is taken, and the other one leaves; answered, as on plain Gunicorn."""
    threads = CONFIG + "\nthreads = 2"
    with (
        serving(tmp_path, threads, **SOON | {"min_workers": 2}) as server,
        plain(tmp_path / "plain", "-w", "2", "--threads", "2", "plain:app") as port,
        client(server.port, HALF) as ours, client(port, HALF) as theirs,
    ):  # fmt: skip
        wait_for(lambda: _states(server) == ["busy", "idle"], "one busy worker")
        (its_own,) = server.pids("busy")
        server.signal(signal.SIGTTOU)
        left = server.wait_for_ready(1)
        answers = []
        for waiting in (ours, theirs):
            waiting.sendall(b"\r\n\r\n")
            answers.append(waiting.recv(15))
        wait_for(lambda: _states(server) == ["idle"], "an idle worker")

    assert (left, answers) == ([its_own], [b"HTTP/1.1 200 OK"] * 2)
