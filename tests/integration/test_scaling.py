"""The count follows the load through Gunicorn's own TTIN and TTOU ways, and operators keep the last word."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.server import Server, serving, wait_for

pytestmark = pytest.mark.real
LONG_SLEEPS = """
import gunicorn.arbiter, types
gunicorn.arbiter.random = types.SimpleNamespace(random=lambda: 50)
"""
"""Gunicorn sleeps a random part of 0.1 s after each worker that it forks itself; 5 s with this."""
QUICK = {"scale_down_window_seconds": 2.0, "calm_seconds": 1.0}


def _workers_log(server: Server, action: str) -> str:
    return server.wait_for_log(rf"autotune: resize workers=\d+->\d+ action={action} reason=\w+")


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_queue_makes_it_grow(unix: bool, tmp_path: Path) -> None:
    """Requests that wait in the kernel are seen on TCP and on UNIX sockets alike, and the count grows for them."""
    with serving(tmp_path, unix=unix) as server:
        clients = [server.connection() for _ in range(10)]
        for client in clients:
            client.request("GET", "/sleep?s=1.5")
        reason = _workers_log(server, "grow")
        answers = [client.getresponse().status for client in clients]
        for client in clients:
            client.close()

    assert (reason.rsplit("=", 1)[1] in ("backlog", "all_busy"), answers) == (True, [200] * 10)


def test_an_ipv6_and_a_unix_listener_are_both_watched(tmp_path: Path) -> None:
    """Several listeners of different families each show their own backlog."""
    config = f"bind = ['[::1]:0', 'unix:{tmp_path}/second.sock', bind]"
    with serving(tmp_path, config) as server:
        listeners = server.status()["listeners"]
        readable = [isinstance(listener["backlog"], int) for listener in listeners]

    assert readable == [True, True, True]


def test_reuse_port_does_not_blind_it(tmp_path: Path) -> None:
    """With reuse_port the arbiter may have no socket; the queues of the port are still seen and it still grows."""
    with serving(tmp_path, "reuse_port = True") as server:
        for _ in range(12):
            server.hold("/sleep?s=2")
        grown = _workers_log(server, "grow")

    assert "action=grow" in grown


@pytest.mark.once
def test_it_shrinks_when_the_load_is_gone(tmp_path: Path) -> None:
    """After the window the count goes back to the minimum, by workers that were idle."""
    with serving(tmp_path, **QUICK) as server:
        for _ in range(8):
            server.hold("/sleep?s=1")
        _workers_log(server, "grow")
        server.wait_for_log(r"action=shrink reason=load_fell", seconds=40)
        pids = server.wait_for_ready(2, seconds=60)
        downs = wait_for(lambda: server.metric('gunicorn_worker_exits_total{reason="scale_down"}'), "a counted exit")

    assert (len(pids), downs >= 1) == (2, True)


def test_the_idle_leave_before_the_busy(tmp_path: Path) -> None:
    """Gunicorn would terminate the oldest worker, busy or not; the victim is an idle one and the request survives."""
    with serving(tmp_path, "workers = 3", min_workers=2) as server:
        server.wait_for_ready(3)
        client = server.connection(timeout=30)
        client.request("GET", "/sleep?s=6")
        busy = server.wait_for_status(
            lambda status: [worker["pid"] for worker in status["workers"] if worker["state"] == "busy"], "a busy worker"
        )
        server.signal(signal.SIGTTOU)
        left = wait_for(lambda: pids if len(pids := server.pids()) == 2 else None, "two workers")
        answer = client.getresponse().status
        client.close()

    assert (busy[0] in left, answer) == (True, 200)


def test_a_manual_change_is_respected(tmp_path: Path) -> None:
    """TTIN by hand is logged and held: the count is not taken back while the hold lasts."""
    with serving(tmp_path, operator_hold_seconds=300.0, **QUICK) as server:
        server.wait_for_ready(2)
        server.signal(signal.SIGTTIN)
        server.wait_for_log(r"autotune: operator workers=2->3 hold_seconds=300")
        server.wait_for_ready(3)
        held = server.wait_for_status(
            lambda status: status["decision"]["reason"] == "operator" and status["tally"]["ticks"] > 20, "a hold"
        )
        status = server.status()

    assert (held, status["target"], status["mode"]) == (True, 3, "paused")


def test_a_reload_keeps_the_tuned_count(tmp_path: Path) -> None:
    """Gunicorn's HUP goes back to the configured count; a tuned server keeps its own."""
    with serving(tmp_path, "workers = 2", scale_down_window_seconds=300.0) as server:
        for _ in range(10):
            server.hold("/sleep?s=1")
        before = server.wait_for_status(lambda status: status["target"] if status["target"] > 2 else None, "growth")
        old = set(server.pids())
        server.signal(signal.SIGHUP)
        wait_for(lambda: not old & set(server.pids()), "only new workers")
        status = server.status()

    assert status["target"] >= before


def test_growing_by_eight_does_not_hold_the_arbiter(tmp_path: Path) -> None:
    """Eight workers are forked without Gunicorn's sleep after each, which is made to take 5 s here."""
    with serving(tmp_path, "preload_app = True" + LONG_SLEEPS, min_workers=10, max_workers=10) as server:
        gone = server.wait_for_ready(10)[2:]
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not set(gone) & set(server.pids()), "their end to be seen")
        server.wait_for_ready(10)
        starts = sorted(worker["spawned_unix_seconds"] for worker in server.status()["workers"])[2:]

    assert starts[-1] - starts[0] < 5.0


def test_an_added_worker_that_cannot_boot_does_not_stop_the_server(tmp_path: Path) -> None:
    """Gunicorn halts on a boot error; a server that serves rolls back instead, waits and says so."""
    config = (
        "import os\n"
        "def post_fork(server, worker):\n"
        "    if worker.age > 2: raise RuntimeError('the database has no connection left')\n"
    )
    with serving(tmp_path, config, boot_backoff_seconds=1.0) as server:
        server.wait_for_ready(2)
        for _ in range(6):
            server.hold("/sleep?s=1")
        server.wait_for_log(r"autotune: worker could not start")
        server.wait_for_log(r"action=rollback reason=boot_failed")
        rollbacks = wait_for(
            lambda: server.metric('gunicorn_autotune_decisions_total{action="rollback",reason="boot_failed"}'),
            "a counted rollback",
        )
        answer = server.get("/")[0]
        alive = server.process.poll()

    assert (rollbacks >= 1, answer, alive) == (True, 200, None)


def test_a_server_that_never_booted_still_halts(tmp_path: Path) -> None:
    """With nobody serving, a boot error means what it always meant: the end, not exit code 0."""
    config = "def post_fork(server, worker): raise RuntimeError('broken from the start')\n"
    with serving(tmp_path, config, ready=False) as server:
        code = wait_for(lambda: code if (code := server.process.poll()) is not None else None, "the end")

    assert code != 0


def test_an_upgrade_freezes_the_old_master_and_the_new_one_takes_over(tmp_path: Path) -> None:
    """During USR2 two masters share the load and neither resizes; afterwards the new one tunes and has the port."""
    config = f"pidfile = '{tmp_path}/g.pid'"
    with serving(tmp_path, config) as server:
        old = server.status()["server"]["pid"]
        server.signal(signal.SIGUSR2)
        frozen = server.wait_for_status(lambda status: status["frozen"], "a frozen master")
        new = int(wait_for(lambda: (tmp_path / "g.pid.2").read_text(), "the new master's pid file"))
        server.wait_for_log("Booting worker", count=4)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        try:
            taken_over = wait_for(lambda: server.status()["server"]["pid"] == new, "the new master's metrics")
            unfrozen = wait_for(lambda: server.status()["frozen"] is None, "an unfrozen master")
            answer = server.get("/")[0]
        finally:
            os.kill(new, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{new}").exists(), "the end of the new master")

    assert (frozen, taken_over, unfrozen, answer, old != new) == ("upgrade", True, True, 200, True)


def test_a_stop_is_told_before_the_workers_are_gone(tmp_path: Path) -> None:
    """While a stopping server drains, /-/ready answers 503 and /metrics still answers."""
    with serving(tmp_path, "graceful_timeout = 15") as server:
        server.hold("/sleep?s=12")
        server.wait_for_status(lambda status: "busy" in [w["state"] for w in status["workers"]], "a busy worker")
        server.signal(signal.SIGTERM)
        wait_for(lambda: server.exporter("/-/ready")[0] == 503, "not ready")
        metrics = server.exporter("/metrics")[0]
        draining = server.process.poll()

    assert (metrics, draining) == (200, None)


def test_an_idle_server_stays_at_its_minimum(tmp_path: Path) -> None:
    """No load, no action: a calm server makes no decision that changes anything."""
    with serving(tmp_path) as server:
        server.wait_for_status(lambda status: status["tally"]["ticks"] > 16, "some ticks")
        changes = [name for name, n in server.status()["tally"]["decisions"].items() if n and "hold" not in name]

    assert changes == []


def test_the_loop_ticks_about_four_times_a_second(tmp_path: Path) -> None:
    """A queue is seen within a quarter of a second, so the sensors are read that often."""
    with serving(tmp_path) as server:
        first, began = server.status()["tally"]["ticks"], time.monotonic()
        wait_for(lambda: server.status()["tally"]["ticks"] >= first + 8, "eight more ticks", seconds=10)
        seconds = time.monotonic() - began

    assert seconds < 8
