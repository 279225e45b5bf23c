"""How long a worker may take to leave."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.status import Mode, Tally
from gunicorn_autotune.runtime import drains
from gunicorn_autotune.runtime.state import Tracked


def killed_after(seconds: float, *, threads: int = 1, timeout: int = 30, mode: Mode = Mode.ACTIVE) -> list[int]:
    """Pids that got SIGKILL when a worker has been leaving for so long."""
    pids: list[int] = []
    worker = SimpleNamespace(pid=7, age=1)
    tracked = Tracked(worker, 1, None, None, spawned_at=0.0, draining=True, draining_at=100.0)

    def kill_worker(pid: int, sig: int) -> None:
        assert sig == signal.SIGKILL
        pids.append(pid)

    server: Any = SimpleNamespace(
        cfg=SimpleNamespace(graceful_timeout=30, timeout=timeout), WORKERS={7: worker}, kill_worker=kill_worker,
        log=SimpleNamespace(error=lambda text: None),
    )  # fmt: skip
    tune: Any = SimpleNamespace(mode=mode, threads=threads, tracked={1: tracked}, tally=Tally())
    drains.end_overdue(server, tune, 100.0 + seconds)
    return pids


@pytest.mark.parametrize(("seconds", "killed"), [(35.0, []), (35.1, [7])])
def test_it_ends_after_graceful_timeout_and_a_margin(seconds: float, killed: list[int]) -> None:
    """30 s and 5."""
    assert killed_after(seconds) == killed


@pytest.mark.parametrize(("threads", "killed"), [(1, []), (4, [7])])
def test_a_sync_worker_has_its_timeout_for_the_request_it_is_in(threads: int, killed: list[int]) -> None:
    """Gunicorn would let a report of 60 s end under `timeout = 120`; gthread itself ends at graceful_timeout."""
    assert killed_after(60.0, threads=threads, timeout=120) == killed


def test_an_observer_kills_nobody() -> None:
    """It never touches a worker."""
    assert killed_after(1e6, mode=Mode.OBSERVE) == []
