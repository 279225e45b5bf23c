"""A real Prometheus scrapes a real tuned server, and users' own metrics come along."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import Server, free_port, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[int]:
    """A Prometheus that scrapes 127.0.0.1:target four times a second; gives its port."""
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
        f"scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    process = subprocess.Popen(
        [_tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _query(port: int, expression: str) -> float:
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(expression)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        result = json.load(answer)["data"]["result"]
    return float(result[0]["value"][1]) if result else float("nan")


def test_prometheus_sees_requests_workers_and_the_reason(tmp_path: Path) -> None:
    """After some load the series answer: how many requests, how many workers, and why."""
    with serving(tmp_path) as server, prometheus(tmp_path, server.metrics_port) as port:
        for _ in range(8):
            server.hold("/sleep?s=1")
        server.wait_for_log("action=grow")
        requests = wait_for(
            lambda: _query(port, "sum(gunicorn_request_duration_seconds_count)") >= 8, "the requests in Prometheus"
        )
        grown = wait_for(
            lambda: _query(port, 'sum(gunicorn_autotune_decisions_total{action="grow"})') >= 1, "the decision"
        )
        workers = wait_for(lambda: _query(port, "sum(gunicorn_workers)") > 2, "the workers")

    assert (requests, grown, workers) == (True, True, True)


def test_metrics_of_a_running_server_are_clean(tmp_path: Path) -> None:
    """promtool has nothing to say against them."""
    promtool = _tool("promtool")
    with serving(tmp_path) as server:
        server.get("/")
        text = server.exporter("/metrics")[1]
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def _shop(server: Server) -> float:
    return server.metric('shop_pages_total{page="front"}')


def test_an_apps_own_metrics_are_merged_and_stay_small(tmp_path: Path) -> None:
    """With PROMETHEUS_MULTIPROC_DIR the app's counters appear beside ours, exact over three generations of workers,
    and the directory holds one set of files per slot."""
    folder = tmp_path / "multiproc"
    folder.mkdir()
    (folder / "counter_99999.db").write_bytes(b"")
    env = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    with serving(tmp_path, app="counted:app", env=env) as server:
        for generation in range(3):
            for _ in range(10):
                server.get("/")
            before = set(server.pids())
            server.signal(signal.SIGHUP)
            wait_for(lambda old=before: not old & set(server.pids()), f"generation {generation + 2}")
            server.wait_for_ready(2)
        total = wait_for(lambda: n if (n := _shop(server)) == 30 else None, "thirty pages")
        slots = {path.stem.rpartition("_")[2] for path in folder.glob("*.db")}

    assert (total, all("slot" in name or "arbiter" in name for name in slots), len(slots) <= 7) == (30, True, True)
