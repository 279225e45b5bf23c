"""Queue time arrives at the metrics, through a real nginx and without one."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import Server, free_port, serving, wait_for

pytestmark = pytest.mark.real
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
CONFIG = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://unix:{socket}; proxy_set_header X-Request-Start "t=${{msec}}"; }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, socket: str) -> Iterator[int]:
    """A real nginx before a UNIX socket; gives its port."""
    if NGINX is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(user="user root;" if os.geteuid() == 0 else "", folder=folder, port=port, socket=socket)
    )
    process = subprocess.Popen([NGINX, "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


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
    """Six requests at once on one worker of 0.2 s each: at least five of them waited 0.1 s or more for it."""
    with (
        serving(tmp_path, unix=True, min_workers=1, max_workers=1) as server,
        nginx(tmp_path, server.unix_path) as port,
    ):
        wait_for(lambda: _get(port, "/") == 200, "nginx to answer")
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(6)]
        for client in clients:
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
        server.hold("/sleep?s=0.6")
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
