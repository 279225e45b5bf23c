"""Workers end in every way there is, and each is counted for what it was."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.test_oom_neighbour import LAST, WORKERS, crowded, eat
from tests.server import GUNICORN, Server, serving, wait_for

pytestmark = pytest.mark.real
CLIENT = Path(GUNICORN).with_name("gunicornc")


def counted(server: Server) -> dict[str, int]:
    """Workers that ended so far, by reason."""
    exits: dict[str, int] = server.status()["tally"]["exits"]
    return {reason: count for reason, count in exits.items() if count}


def counted_after(server: Server, act: Callable[[], object], ends: int = 1) -> dict[str, int]:
    """What is added to the counts when `act` has made that many workers end."""
    server.wait_for_ready(2)
    before = counted(server)
    act()
    enough = sum(before.values()) + ends
    after = wait_for(lambda: now if sum((now := counted(server)).values()) >= enough else None, f"an end\n{server.log}")
    return {reason: more for reason, count in after.items() if (more := count - before.get(reason, 0))}


def leave(server: Server, how: str) -> Callable[[], None]:
    """A request that ends its worker."""

    def act() -> None:
        with suppress(OSError, http.client.HTTPException):
            server.get(f"/?how={how}")

    return act


def test_each_end_is_counted_for_what_it_was(tmp_path: Path) -> None:
    """By the app's own hand, by a crash, by somebody's signal, by the reloader."""
    watched = tmp_path / "watched.py"
    watched.write_text("")
    config = f"reload = True\nreload_engine = 'poll'\nreload_extra_files = [{str(watched)!r}]"
    with serving(tmp_path, config, app="leaving:app", min_workers=2, max_workers=2) as server:
        ways = {how: counted_after(server, leave(server, how)) for how in ("os_exit_1", "os_exit_0", "segv")}
        for name in ("SIGTERM", "SIGINT", "SIGKILL"):
            ways[name] = counted_after(server, lambda: os.kill(server.pids()[0], signal.Signals[name]))  # noqa: B023
        ways["reload"] = counted_after(server, lambda: watched.write_text("1"), ends=2)

    assert ways == {
        "os_exit_1": {"error": 1},
        "os_exit_0": {"exit": 1},
        "segv": {"signal": 1},
        "SIGTERM": {"terminated": 1},
        "SIGINT": {"terminated": 1},
        "SIGKILL": {"signal": 1},
        "reload": {"reload": 2},
    }


@pytest.mark.skipif(not CLIENT.exists(), reason="this Gunicorn has no gunicornc (25.1 brought it)")
def test_a_worker_killed_by_gunicornc_was_told_to_leave(tmp_path: Path) -> None:
    """It sends SIGTERM past the arbiter's own loop."""
    with serving(tmp_path, min_workers=2, max_workers=2) as server:
        server.wait_for_log("Control socket listening")
        call = [str(CLIENT), "-s", str(tmp_path / "gunicorn.ctl"), "-c"]

        def kill() -> None:
            subprocess.run([*call, f"worker kill {server.pids()[0]}"], timeout=20, check=True, capture_output=True)

        added = counted_after(server, kill)

    assert added == {"terminated": 1}


def test_a_leaving_worker_that_the_kernel_kills_for_memory_was_killed_for_memory(tmp_path: Path) -> None:
    """It was asked to leave (TTOU) and still had a request; not that ended it."""
    with crowded(tmp_path) as (group, server):
        for _ in range(WORKERS):
            server.hold("/sleep?s=20")
        server.wait_for_status(lambda status: len(server.pids("busy")) == WORKERS, "all of them busy")
        server.signal(signal.SIGTTOU)
        (leaving,) = wait_for(lambda: server.pids("draining"), "one that leaves")
        Path(f"/proc/{leaving}/oom_score_adj").write_text("1000")
        eat(group, LAST)
        wait_for(lambda: counted(server), "its end")
        ends = counted(server)

    assert ends == {"oom_kill": 1}
