"""Every worker class of Gunicorn reports its requests; any other is scaled by what the kernel shows."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
REQUESTS = 12


def _has_asgi(tmp_path: Path) -> bool:
    import subprocess

    from tests.server import GUNICORN

    return subprocess.run([GUNICORN, "-c", "import gunicorn.workers.gasgi"], capture_output=True).returncode == 0


@pytest.fixture
def app_for(tmp_path: Path) -> dict[str, str]:
    """Which app a worker class runs."""
    return {"asgi": "plain_asgi:app"}


def _counted(server: Server, status: str) -> float:
    return server.metric(f'gunicorn_request_duration_seconds_count{{status="{status}"}}')


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent", "asgi"])
def test_requests_are_recorded(worker_class: str, tmp_path: Path, app_for: dict[str, str]) -> None:
    """Each request is counted once in the histogram of its status class, failures included."""
    if worker_class == "asgi" and not _has_asgi(tmp_path):
        pytest.skip("this Gunicorn has no asgi worker (it came with 25)")
    config = f"worker_class = {worker_class!r}\nthreads = {2 if worker_class == 'gthread' else 1}"
    with serving(tmp_path, config, app=app_for.get(worker_class, "plain:app")) as server:
        for _ in range(REQUESTS):
            server.get("/")
        server.get("/fail")
        counts = wait_for(
            lambda: pair if sum(pair := (_counted(server, "2xx"), _counted(server, "5xx"))) == REQUESTS + 1 else None,
            f"{REQUESTS + 1} requests in the histogram",
        )

    assert counts == (REQUESTS, 1)


@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent", "asgi"])
def test_a_running_request_shows_as_busy(worker_class: str, tmp_path: Path, app_for: dict[str, str]) -> None:
    """A request that waits on I/O makes its worker busy while it runs."""
    if worker_class == "asgi" and not _has_asgi(tmp_path):
        pytest.skip("this Gunicorn has no asgi worker (it came with 25)")
    config = f"worker_class = {worker_class!r}\nthreads = {2 if worker_class == 'gthread' else 1}\ngraceful_timeout = 1"
    with serving(tmp_path, config, app=app_for.get(worker_class, "plain:app")) as server:
        server.hold("/sleep?s=20")
        running = server.wait_for_status(
            lambda status: [worker for worker in status["workers"] if worker["in_flight"]], "a running request"
        )

    assert [("busy", 1)] == [(worker["state"], worker["in_flight"]) for worker in running]


def test_the_queue_inside_gthread_is_seen(tmp_path: Path) -> None:
    """gthread accepts ahead of its threads: the kernel's backlog reads 0 while requests wait in the worker."""
    config = "worker_class = 'gthread'\nthreads = 2\ngraceful_timeout = 1"
    with serving(tmp_path, config, min_workers=1, max_workers=1) as server:
        for _ in range(6):
            server.hold("/sleep?s=20")
        server.wait_for_status(
            lambda status: [worker["queued"] for worker in status["workers"]] == [4], "four of six to wait in it"
        )
        since = time.monotonic()
        # The workers' rows are live, the listeners' are from the last tick.
        later = server.wait_for_status(lambda status: status if status["monotonic"] > since else None, "another tick")

    queued = [worker["queued"] for worker in later["workers"]]
    assert (queued, [listener["backlog"] for listener in later["listeners"]]) == ([4], [0])


def test_an_unknown_class_grows_by_what_the_kernel_shows(tmp_path: Path) -> None:
    """No request is reported, yet a standing backlog makes the count grow; busy figures are missing, not 0."""
    with serving(tmp_path, "worker_class = 'homemade.HomeMadeWorker'") as server:
        for _ in range(20):
            server.hold("/")
        server.wait_for_log("autotune: resize workers=2->.*reason=backlog")
        busy = server.status()["workers"][0]["busy_seconds"]

    assert "missing" in busy


def test_an_exit_by_max_requests_is_told_apart(tmp_path: Path) -> None:
    """Gunicorn's own max_requests shows as recycle_requests, not as a crash."""
    with serving(tmp_path, "max_requests = 5") as server:
        for _ in range(30):  # each limit is drawn from 10 to 14, so one of the two reaches its own
            server.get("/")
        recycled = wait_for(
            lambda: server.metric('gunicorn_worker_exits_total{reason="recycle_requests"}'), "recycled workers"
        )
        errors = server.metric('gunicorn_worker_exits_total{reason="error"}')

    assert (recycled >= 1, errors) == (True, 0)


def test_a_worker_timeout_is_told_apart(tmp_path: Path) -> None:
    """A worker killed for its silence counts as timeout, and is replaced."""
    with serving(tmp_path, "timeout = 6", max_workers=2) as server:
        server.hold("/sleep?s=60")
        timeouts = wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="timeout"}'), "a timeout")
        server.wait_for_ready(2)

    assert timeouts == 1


def test_counters_go_on_over_recycled_workers(tmp_path: Path) -> None:
    """Sums over slots never go down: ten requests, every worker replaced, ten more are twenty."""
    with serving(tmp_path) as server:
        for _ in range(10):
            server.get("/")
        before = server.wait_for_ready(2)
        server.signal(signal.SIGHUP)
        wait_for(lambda: not set(before) & set(server.pids()), "new workers")
        server.wait_for_ready(2)
        for _ in range(10):
            server.get("/")
        total = wait_for(lambda: n if (n := _counted(server, "2xx")) == 20 else None, "20 requests")

    assert total == 20
