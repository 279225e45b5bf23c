"""How long a worker may take to leave."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.status import Mode, Tally
from gunicorn_autotune.runtime import drains
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import board, layout, recorder


def killed_after(
    seconds: float, *, timeout: int = 30, born_with: int | None = None, requests: int = 0, mode: Mode = Mode.ACTIVE
) -> list[int]:
    """Pids that got SIGKILL when a worker has been leaving for so long; `born_with` is its own `timeout`."""
    pids: list[int] = []
    row = board.create(layout.Shape(rows=1, status_bytes=64)).row(0)
    pen = recorder.overlapping(row)
    for _ in range(requests):
        pen.begin(None, object())
    own = SimpleNamespace(graceful_timeout=30, timeout=timeout if born_with is None else born_with)
    worker = SimpleNamespace(pid=7, age=1, cfg=own)
    tracked = Tracked(worker, 1, 0, row, spawned_at=0.0, draining=True, draining_at=100.0)

    def kill_worker(pid: int, sig: int) -> None:
        assert sig == signal.SIGKILL
        pids.append(pid)

    server: Any = SimpleNamespace(
        # Another graceful_timeout than the worker's: a reload in batches has it at 0 for a moment.
        cfg=SimpleNamespace(graceful_timeout=0, timeout=timeout), WORKERS={7: worker}, kill_worker=kill_worker,
        log=SimpleNamespace(error=lambda text: None),
    )  # fmt: skip
    tune: Any = SimpleNamespace(mode=mode, tracked={1: tracked}, tally=Tally())
    drains.end_overdue(server, tune, 100.0 + seconds)
    return pids


@pytest.mark.parametrize(("seconds", "killed"), [(65.0, []), (65.1, [7])])
def test_it_ends_after_graceful_timeout_and_timeout_and_a_margin(seconds: float, killed: list[int]) -> None:
    """30 s, 30 s and 5: gthread has `timeout` for its threads after it has waited for `graceful_timeout`."""
    assert killed_after(seconds) == killed


def test_without_a_timeout_a_worker_may_take_as_long_as_it_likes() -> None:
    """`timeout = 0` means no limit, not none left."""
    assert killed_after(1e6, timeout=0) == []


@pytest.mark.parametrize(("now", "born_with"), [(0, 30), (30, 0)])
def test_a_reload_in_the_drain_shortens_nothing(now: int, born_with: int) -> None:
    """The arbiter's timeout may have changed since the worker was born: the longer one counts."""
    assert killed_after(1e6, timeout=now, born_with=born_with) == []


def test_a_worker_that_has_a_request_is_left_alone() -> None:
    """Its heart beats, or Gunicorn would have aborted it; plain Gunicorn would let it finish."""
    assert (killed_after(1e6, requests=1), killed_after(1e6)) == ([], [7])


def test_an_observer_kills_nobody() -> None:
    """It never touches a worker."""
    assert killed_after(1e6, mode=Mode.OBSERVE) == []
