"""Requests that run for longer than graceful_timeout while the count shrinks and Gunicorn reloads."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server import Server, launched, wait_for, write_config

pytestmark = pytest.mark.real
REQUESTS = 4
CONFIG = """
workers = 4
def pre_request(worker, request):
    with open("begun", "a") as file:
        file.write("x")
"""
# A kill after graceful_timeout alone would come in the middle of the requests; the real margin would take 4 s more.
OURS = """
from gunicorn_autotune import install
from gunicorn_autotune.runtime import drains
drains.MARGIN_SECONDS = 0.2
install(globals(), max_workers=4)
"""
WORKERS = {
    "sync": ["--timeout", "0"],
    "gthread": ["-k", "gthread", "--threads", "2", "--timeout", "60"],
}


def _answer(server: Server) -> object:
    try:
        return server.get("/sleep?s=4", timeout=30)[0]
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def _answers(folder: Path, config: str, worker: list[str]) -> list[object]:
    """What became of the requests in a set of workers of which two were sent away and all were then replaced."""
    folder.mkdir()
    path = write_config(folder, config)
    with launched(folder, "-c", str(path), "--graceful-timeout", "1", *worker) as server:
        wait_for(lambda: server.get()[0] == 200 and server.log.count("Booting worker") == 4, "four workers")
        (folder / "begun").unlink()
        with ThreadPoolExecutor(REQUESTS) as clients:
            answers = [clients.submit(_answer, server) for _ in range(REQUESTS)]
            wait_for(lambda: len((folder / "begun").read_text()) == REQUESTS, "requests that run")
            for turn in (1, 2):
                server.signal(signal.SIGTTOU)
                server.wait_for_log("Handling signal: ttou", turn)
            server.signal(signal.SIGHUP)
            return [answer.result() for answer in answers]


def test_no_request_ends_sooner_than_under_plain_gunicorn(tmp_path: Path) -> None:
    """`timeout = 0` means no limit, and gthread waits for its threads after graceful_timeout: all are answered."""
    with ThreadPoolExecutor() as servers:
        answers = {
            (kind, who): servers.submit(_answers, tmp_path / f"{kind}-{who}", config, worker)
            for kind, worker in WORKERS.items()
            for who, config in (("plain", CONFIG), ("ours", CONFIG + OURS))
        }

    assert {server: got.result() for server, got in answers.items()} == dict.fromkeys(answers, [200] * REQUESTS)
