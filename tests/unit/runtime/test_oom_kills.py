"""Which deaths the cgroup's count of OOM kills explains."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.status import ExitReason
from gunicorn_autotune.runtime import exits, surroundings
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.sensors import cgroup


def a_tune(monkeypatch: pytest.MonkeyPatch, kills: int) -> Any:
    """Of a cgroup that had no kills at first and has `kills` now."""
    monkeypatch.setattr(cgroup, "read_host", lambda cgroups: SimpleNamespace(oom_kills=kills))
    return SimpleNamespace(cgroups=object(), oom_kills_settled=0, oom_kills_open_since=None, frozen=None)


def a_dead_worker(age: int) -> Tracked:
    """Killed by a signal that nobody of ours sent."""
    row = board.create(layout.Shape(rows=1, status_bytes=64)).row(0)
    return Tracked(SimpleNamespace(age=age, aborted=False), age, 0, row, spawned_at=0.0, returncode=-signal.SIGKILL)


def test_two_workers_killed_in_one_moment_were_both_killed_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One death explains one kill, and the third death none."""
    tune = a_tune(monkeypatch, kills=2)

    assert [ExitReason.OOM_KILL, ExitReason.OOM_KILL, ExitReason.SIGNAL] == [
        exits.exit_reason(tune, a_dead_worker(age)) for age in (1, 2, 3)
    ]


def test_a_worker_whose_end_nobody_saw_was_killed_for_memory_if_somebody_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are killed together, and the second ends between our look and Gunicorn's wait."""
    tune, seen, unseen, later = a_tune(monkeypatch, kills=2), *map(a_dead_worker, (1, 2, 3))
    tune.records = True
    unseen.returncode = later.returncode = None

    assert [ExitReason.OOM_KILL, ExitReason.OOM_KILL, ExitReason.UNKNOWN] == [
        exits.exit_reason(tune, one) for one in (seen, unseen, later)
    ]


@pytest.mark.parametrize("aborted", [False, True])
def test_a_worker_that_was_leaving_or_silent_and_was_killed_for_memory_ended_by_that(
    aborted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recycle for memory comes when memory is short: whoever leaves then may be killed on the way."""
    leaving = a_dead_worker(1)
    leaving.worker.aborted, leaving.draining, leaving.exit_reason = aborted, True, ExitReason.RECYCLE_MEMORY
    leaving.sent.add(signal.SIGTERM)

    assert exits.exit_reason(a_tune(monkeypatch, kills=1), leaving) is ExitReason.OOM_KILL


def test_a_kill_of_ours_takes_no_oom_kill_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drain was over; the kernel killed somebody else in that moment."""
    leaving, tune = a_dead_worker(1), a_tune(monkeypatch, kills=1)
    leaving.draining, leaving.exit_reason = True, ExitReason.SCALE_DOWN
    leaving.sent.add(signal.SIGKILL)

    assert [exits.exit_reason(tune, leaving), exits.exit_reason(tune, a_dead_worker(2))] == [
        ExitReason.SCALE_DOWN,
        ExitReason.OOM_KILL,
    ]


def test_a_kill_that_no_death_explained_was_a_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds after it a worker's death by signal is not blamed on it."""
    tune = a_tune(monkeypatch, kills=1)
    for now in (10.0, 11.0, 11.0 + surroundings.OOM_BLAME_SECONDS):
        surroundings._settle_oom_kills(tune, 1, now)

    assert ExitReason.SIGNAL == exits.exit_reason(tune, a_dead_worker(1))
