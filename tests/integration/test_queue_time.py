"""Queue time arrives at the metrics, through a real nginx and without one."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from tests.proxy import nginx
from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _waits(server: Server, bound: str) -> float:
    return server.metric(f'gunicorn_request_queue_seconds_bucket{{le="{bound}"}}')


def test_requests_that_wait_behind_nginx_show_how_long(tmp_path: Path) -> None:
    """Five requests while the only worker is busy with a long one: each of them waited 0.1 s or more for it."""
    with (
        serving(tmp_path, unix=True, min_workers=1, max_workers=1) as server,
        nginx(tmp_path, server.unix_path) as port,
    ):
        wait_for(lambda: _get(port, "/") == 200, "nginx to answer")
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(6)]
        clients[0].request("GET", "/sleep?s=2")
        server.wait_for_status(lambda status: status["workers"][0]["in_flight"] == 1, "a busy worker")
        for client in clients[1:]:
            client.request("GET", "/sleep?s=0.2")
        answers = [client.getresponse().status for client in clients]
        for client in clients:
            client.close()
        late = wait_for(
            lambda: n if (n := _waits(server, "+Inf") - _waits(server, "0.1")) >= 5 else None, "five late requests"
        )

    assert (answers, late >= 5) == ([200] * 6, True)


def test_without_a_header_the_socket_tells(tmp_path: Path) -> None:
    """On TCP the kernel knows since when the request lies there: a wait behind a slow one is seen."""
    with serving(tmp_path, min_workers=1, max_workers=1) as server:
        server.hold("/sleep?s=5")
        server.wait_for_status(lambda status: status["workers"][0]["in_flight"] == 1, "a busy worker")
        server.hold("/")
        late = wait_for(lambda: _waits(server, "+Inf") - _waits(server, "0.1"), "a late request")

    assert late >= 1


@pytest.mark.parametrize("stamp", ["t=99999999999", "yesterday", "t=-5", "nan", "1e999", "\u0661\u0662"])
def test_a_stamp_that_cannot_be_true_is_counted_and_dropped(stamp: str, tmp_path: Path) -> None:
    """Garbage in the header never fails a request and never shows as a time."""
    with serving(tmp_path) as server:
        client = server.connection()
        client.putrequest("GET", "/")
        client.putheader("X-Request-Start", stamp.encode("utf-8"))
        client.endheaders()
        answer = client.getresponse().status
        client.close()
        dropped = wait_for(lambda: server.metric("gunicorn_request_queue_dropped_total"), "a dropped stamp")

        recorded = _waits(server, "+Inf")

    assert (answer, dropped, recorded) == (200, 1, 0)
