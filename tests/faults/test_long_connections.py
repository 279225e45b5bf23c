"""WebSockets and streams are seen, and no shrink or recycle of ours ends one that plain Gunicorn would keep."""

from __future__ import annotations

import http.client
import signal
import subprocess
from pathlib import Path

import pytest

from gunicorn_autotune.cli.commanding import send_command
from tests.faults.listeners import STREAM, WEBSOCKET, Listeners, listening, plain
from tests.server import GUNICORN, Server, serving, wait_for

pytestmark = pytest.mark.real
SOON = {"min_workers": 1, "max_workers": 4, "calm_seconds": 2, "scale_down_window_seconds": 1}
"""Two workers that are not needed become one within a few seconds."""
NO_TIME = "workers = 2\ngraceful_timeout = 0\n"
"""As far as Gunicorn is concerned, who is told to leave ends its connections at once."""
KINDS = {
    "websockets": ("asgi", 1, "streams_asgi:app", WEBSOCKET, 10),
    "asgi": ("asgi", 1, "streams_asgi:app", STREAM, 10),
    "gevent": ("gevent", 1, "streams:app", STREAM, 24),
    "gthread": ("gthread", 24, "streams:app", STREAM, 12),
}
UNDER_WAY_SECONDS = 3.0
"""Plain Gunicorn ends those of a worker that leaves two seconds after it was told, at the latest."""


def _needs(worker_class: str) -> None:
    asgi = [GUNICORN, "-c", "import gunicorn.workers.gasgi"]
    if worker_class == "asgi" and subprocess.run(asgi, capture_output=True).returncode:
        pytest.skip("this Gunicorn has no asgi worker (it came with 25)")


def _config(worker_class: str, threads: int = 1) -> str:
    return f"{NO_TIME}worker_class = {worker_class!r}\nthreads = {threads}\n"


def _on_every_worker(server: Server, clients: Listeners, request: str, count: int) -> int:
    """Open `count` connections, and more until no worker is without one, but for one that leaves; how many."""
    clients.open(request, count)
    while any(worker["state"] == "idle" for worker in server.status()["workers"]):
        clients.open(request)
        count += 1
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_a_shrink_ends_none(kind: str, tmp_path: Path) -> None:
    """Each goes on, as on plain Gunicorn, where nobody is ever asked to leave."""
    worker_class, threads, app, request, count = KINDS[kind]
    _needs(worker_class)
    arguments = ("-w", "2", "-k", worker_class, "--threads", str(threads), app)
    with (
        serving(tmp_path, _config(worker_class, threads), app=app, **SOON) as server,
        plain(tmp_path / "plain", *arguments) as port, listening(port) as theirs, listening(server.port) as ours,
    ):  # fmt: skip
        count = _on_every_worker(server, ours, request, count)
        theirs.open(request, count)
        wait_for(
            lambda: "resize workers=2->1" in server.log or server.status()["decision"]["reason"] == "held", "a shrink"
        )
        kept = ours.kept(UNDER_WAY_SECONDS), theirs.kept(0.0)

    assert kept == (count, count)


def test_who_holds_a_websocket_leaves_last(tmp_path: Path) -> None:
    """The other one leaves, although it is younger; the socket is seen, and is no request."""
    _needs("asgi")
    with (
        serving(tmp_path, _config("asgi"), app="streams_asgi:app", **SOON) as server,
        listening(server.port) as clients,
    ):
        clients.open(WEBSOCKET)
        holder = server.wait_for_status(
            lambda status: [one for one in status["workers"] if one["held"]], "the socket in a row"
        )[0]
        counted = server.metric(f'gunicorn_worker_held_connections{{worker="{holder["slot"]}"}}')
        server.wait_for_log("resize workers=2->1 action=shrink reason=load_fell")
        left = server.wait_for_ready(1)
        kept = clients.kept(0.5)

    assert (left, holder["state"], holder["in_flight"], counted, kept) == ([holder["pid"]], "busy", 0, 1.0, 1)


def test_an_idle_kept_alive_connection_is_not_held(tmp_path: Path) -> None:
    """Its worker is idle, and leaves like any other."""
    with serving(tmp_path, _config("gthread", 2) + "keepalive = 60", mode="observe") as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        client.request("GET", "/")
        client.getresponse().read()
        states = server.wait_for_status(
            lambda status: [(one["state"], one["held"]) for one in status["workers"] if one["requests"]], "an answer"
        )
        client.close()

    assert states == [("idle", 0)]


@pytest.mark.parametrize("kind", ["gevent", "websockets"])
def test_the_wait_of_a_recycle_is_bounded(kind: str, tmp_path: Path) -> None:
    """The replacement serves, the old worker holds on; after recycle_hold_seconds Gunicorn ends it as it always does.

    An asgi worker with sockets hangs then until its `timeout`, without us as well.
    """
    worker_class, threads, app, request, count = KINDS[kind]
    _needs(worker_class)
    config = _config(worker_class, threads).replace("workers = 2", "workers = 1\ntimeout = 5")
    settings = {"min_workers": 1, "max_workers": 1, "recycle_hold_seconds": 4}
    with serving(tmp_path, config, app=app, **settings) as server, listening(server.port) as clients:
        clients.open(request, count)
        send_command(server.status()["server"]["command_socket"], {"command": "recycle", "slots": "all"})
        server.wait_for_log("action=shrink reason=recycle cause=operator")
        kept = clients.kept(1.0)
        wait_for(lambda: len(clients.cut) == count, "the end of the wait")
        wait_for(lambda: len(server.status()["workers"]) == 1, "its end")

    assert kept == count


def test_an_operators_ttou_is_gunicorns(tmp_path: Path) -> None:
    """Who asks for fewer workers gets them as soon as on plain Gunicorn: after graceful_timeout."""
    with (
        serving(tmp_path, _config("gevent"), app="streams:app", min_workers=1, max_workers=2) as server,
        listening(server.port) as clients,
    ):
        _on_every_worker(server, clients, STREAM, 12)
        server.signal(signal.SIGTTOU)
        wait_for(lambda: clients.cut, "the end of some")
        wait_for(lambda: len(server.status()["workers"]) == 1, "one worker less")
