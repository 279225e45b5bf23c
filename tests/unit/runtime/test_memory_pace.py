"""How often a worker's size is read: by what the reading costs, not by how long it took."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.readings import MemoryReading
from gunicorn_autotune.runtime import sensing
from gunicorn_autotune.runtime.state import Tracked

READ = MemoryReading(pss_bytes=1, uss_bytes=1)


def put_off_seconds(monkeypatch: pytest.MonkeyPatch, read: Any) -> float:
    """For how long a read of one worker's size puts off the next one."""
    monkeypatch.setattr(sensing.memory, "read_memory", read)
    worker = SimpleNamespace(age=1)
    tracked = Tracked(worker, 1, None, None, spawned_at=0.0, was_ready=True)
    tune: Any = SimpleNamespace(memory_turn=0, memory_not_before=0.0, faults_logged=set())
    sensing._read_one_memory(None, tune, [tracked], {id(worker): 7}, now=1000.0)
    assert tracked.memory == READ
    return float(tune.memory_not_before - 1000.0)


def test_a_read_that_was_preempted_does_not_put_the_next_one_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.2 s of waiting for a core cost the arbiter nothing; by the wall clock the next would be 67 s away."""

    def preempted(_pid: int) -> MemoryReading:
        time.sleep(0.2)
        return READ

    assert put_off_seconds(monkeypatch, preempted) < 5


def test_a_read_that_costs_cpu_time_puts_the_next_one_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 ms of it are 0.3 % of 6.7 s."""

    def costly(_pid: int) -> MemoryReading:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        return READ

    assert put_off_seconds(monkeypatch, costly) > 6
