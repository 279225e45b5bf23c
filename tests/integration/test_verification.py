"""Growth that does not raise throughput is taken back, and is not judged before new workers get traffic."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proxy import nginx
from tests.server import serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
ANSWERED = 'gunicorn_request_duration_seconds_count{status="2xx"}'


@contextmanager
def clients(count: int, connect: Callable[[], http.client.HTTPConnection], path: str) -> Iterator[None]:
    """`count` clients that ask again as soon as they are answered, until the block ends."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            connection = connect()
            try:
                connection.request("GET", path)
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                over.wait(0.05)
            finally:
                connection.close()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(20)


@pytest.mark.timeout(300)
def test_workers_that_a_shared_pool_cannot_feed_are_taken_back(tmp_path: Path) -> None:
    """Eighty requests a second is all the pool gives: the law says downstream and goes back."""
    config = "preload_app = True"
    with serving(tmp_path, config, app="pooled:app", max_workers=32) as server:
        with clients(2, server.connection, "/"):
            wait_for(lambda: server.metric(ANSWERED) > 60, "a service time learned in calm")
        with clients(40, server.connection, "/"):
            rolled = server.wait_for_log(r"action=rollback reason=no_gain", seconds=150)
            found = server.wait_for_status(lambda status: status["bottleneck"] == "downstream", "the verdict")

    assert (bool(rolled), bool(found)) == (True, True)


def test_workers_that_kept_alive_connections_hide_are_not_judged(tmp_path: Path) -> None:
    """nginx goes on using the connections it has: the new workers are idle, and nobody says they do not help."""
    config = "worker_class = 'gthread'\nthreads = 2\nkeepalive = 75"
    with (
        serving(tmp_path, config, unix=True, max_workers=12) as server,
        nginx(tmp_path, server.unix_path, keepalive=True) as port,
    ):
        wait_for(lambda: _get(port) == 200, "nginx to answer")

        def connect() -> http.client.HTTPConnection:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=20)

        with clients(16, connect, "/sleep?s=0.1"):
            server.wait_for_log(r"action=grow")
            served = server.metric(ANSWERED)
            wait_for(lambda: server.metric(ANSWERED) > served + 300, "saturation for some seconds")

    assert "no_gain" not in server.log


@pytest.mark.once
def test_workers_that_soon_get_their_share_are_judged_and_stay(tmp_path: Path) -> None:
    """With connections that nginx renews every two seconds each growth is seen to pay, and nothing is taken back."""
    config = "worker_class = 'gthread'\nthreads = 2\nkeepalive = 10"
    pool = "keepalive 32; keepalive_timeout 4s; keepalive_time 2s;"
    with (
        serving(tmp_path, config, unix=True, max_workers=6) as server,
        nginx(tmp_path, server.unix_path, keepalive=True, pool=pool) as port,
    ):
        wait_for(lambda: _get(port) == 200, "nginx to answer")

        def connect() -> http.client.HTTPConnection:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=20)

        with clients(16, connect, "/sleep?s=0.1"):
            server.wait_for_ready(6, seconds=60)
            server.wait_for_status(lambda status: all(one["requests"] for one in status["workers"]), "traffic for all")

    assert "no_gain" not in server.log


def _get(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()
