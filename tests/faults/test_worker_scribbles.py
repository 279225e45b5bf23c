"""A worker writes garbage over all memory it shares with the arbiter and tries to cut it: only figures suffer."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.server import Server, launched, serving, wait_for

pytestmark = pytest.mark.real
NOBODY = 65534
CONFIG = "workers = 2\n" + (f"user = group = {NOBODY}\n" if os.geteuid() == 0 else "")
"""As root the workers are somebody else, whom the arbiter must not depend on."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """One server for all that is done to it."""
    folder = tmp_path_factory.mktemp("scribbles")
    with serving(folder, CONFIG, app="hostile:app", min_workers=2, max_workers=4) as server:
        server.wait_for_ready(2)
        yield server


def _ticks(server: Server) -> float:
    return server.metric("gunicorn_autotune_ticks_total")


def _said(server: Server) -> tuple[set[str], set[int]]:
    """Traces of anything of ours that raised, and the answers of every page."""
    bad = {text for text in ("Traceback", "failed", "fallback") if text in server.log}
    return bad, {server.exporter(page)[0] for page in ("/metrics", "/status.json", "/-/healthy", "/-/ready")}


def _requests(server: Server) -> int:
    return sum(worker["requests"] for worker in server.status()["workers"])


def test_cutting_the_memory_fails_in_the_app_and_nowhere_else(server: Server) -> None:
    """The app gets its own OSError; the arbiter would have died of SIGBUS at its next look."""
    answer = server.get("/cut")[1].decode()
    before = _ticks(server)
    wait_for(lambda: _ticks(server) > before + 2, "two more ticks")

    assert ("PermissionError" in answer, "nothing" in answer, server.get("/")[0]) == (True, False, 200), answer


def test_the_same_app_on_plain_gunicorn_finds_nothing_to_harm(tmp_path: Path) -> None:
    """It serves on there, so it must here."""
    with launched(tmp_path, "--workers", "1", app="hostile:app") as plain:
        plain.wait_for_workers(1)
        answers = [plain.get(path)[1].decode().split(" ", 1)[1].strip() for path in ("/cut", "/scribble/ones", "/")]

    assert answers == ["[]", "0", "served"]


@pytest.mark.parametrize("pattern", ["ones", "top", "random"])
def test_garbage_in_every_word_costs_figures_only(server: Server, pattern: str) -> None:
    """Requests are answered, ticks go on, every page answers 200, and no figure is made of the garbage."""
    pid, written = server.get(f"/scribble/{pattern}")[1].split()
    before = _ticks(server)
    answers = [server.get("/")[0] for _ in range(20)]
    wait_for(lambda: _ticks(server) > before + 4, "four more ticks")
    status = server.status()
    figures = [worker[name] for worker in status["workers"] for name in ("requests", "in_flight", "busy_seconds")]
    sane = [figure for figure in figures if isinstance(figure, dict) or 0 <= figure < 1e6]

    assert (_said(server), set(answers), int(written) > 0) == ((set(), {200}), {200}, True), server.log
    assert (sane, len(status["workers"]), status["mode"], int(pid) > 0) == (figures, 2, "active", True)


def test_what_the_arbiter_alone_writes_is_out_of_reach(server: Server) -> None:
    """Pids, the target and the tallies stand in memory that no worker has."""
    server.get("/scribble/ones")
    workers = {int(server.get("/")[1].split()[0]) for _ in range(30)}
    status = server.status()

    assert workers <= {worker["pid"] for worker in status["workers"]} and status["target"] == 2


def test_a_new_worker_in_the_slot_is_measured_again(server: Server) -> None:
    """Its predecessor's garbage ends with it: the slot goes on from the last figures that could be true."""
    server.get("/scribble/ones")
    server.wait_for_log("cannot be true, its figures stop")
    old = set(server.pids())
    server.signal(signal.SIGHUP)
    wait_for(lambda: not old & set(server.pids()) and server.wait_for_ready(2), "a new set")
    before = _requests(server)
    for _ in range(10):
        server.get("/")

    wait_for(lambda: _requests(server) >= before + 10, "ten more")
