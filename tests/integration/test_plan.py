"""A plan from a real server: watched while it serves, and from the record it wrote; real Gunicorn takes the file."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import GUNICORN, Server, command, environment, serving

pytestmark = [pytest.mark.real, pytest.mark.once]
CLIENTS = 2


@contextmanager
def asked(server: Server, path: str) -> Iterator[None]:
    """CLIENTS ask for `path`, one request after the other."""
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            server.get(path)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        done.set()
        for client in clients:
            client.join()


def plan(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, from outside, its output piped."""
    return subprocess.run(
        [GUNICORN, "-m", "gunicorn_autotune", "plan", *arguments],
        cwd=folder, env=environment({}), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def check_config(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Gunicorn's own opinion of a configuration file."""
    return subprocess.run(
        command(["--check-config", "-c", name, "plain:app"]),
        cwd=folder, env=environment({}), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_watched_server_gets_a_plan_that_gunicorn_takes(tmp_path: Path) -> None:
    """Two clients keep two requests of 50 ms busy: about two slots are seen, and the file passes --check-config."""
    with serving(tmp_path) as server, asked(server, "/sleep?s=0.05"):
        ended = plan(
            "--server", f"127.0.0.1:{server.metrics_port}", "--seconds", "6", "--json", "-o", "planned.py",
            folder=tmp_path,
        )  # fmt: skip
    answer = json.loads(ended.stdout)
    checked = check_config(tmp_path, "planned.py")

    assert (0, "", 0) == (ended.returncode, ended.stderr, checked.returncode), ended.stderr + checked.stderr
    assert 1.0 < answer["observed"]["load"]["busy_slots_peak"] < 2.5


def test_a_server_that_recorded_its_flight_gets_a_plan(tmp_path: Path) -> None:
    """The record tells what a status document cannot: what a boot costs, and the server's settings."""
    record = tmp_path / "flight.jsonl"
    with serving(tmp_path, "timeout = 40", flight_record=str(record)) as server, asked(server, "/sleep?s=0.02"):
        server.wait_for_status(lambda status: sum(one["requests"] for one in status["workers"]) > 300, "300 requests")
    ended = plan(str(record), "-o", "planned.py", folder=tmp_path)
    checked = check_config(tmp_path, "planned.py")

    assert (ended.returncode in (0, 1), 0) == (True, checked.returncode), ended.stderr + checked.stderr
    assert "timeout = 40" in (tmp_path / "planned.py").read_text()
