"""Starting the exporter: whatever fails there is told once, closes what it opened, and waits before the next try."""

from __future__ import annotations

import gc
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from tests.faults.processes import exporters_of
from tests.server import wait_for

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.runtime import exporter_main, exporter_process
from gunicorn_autotune.runtime.exporter_process import ExporterProcess
from gunicorn_autotune.scoreboard import board, layout


@pytest.fixture
def told() -> list[str]:
    """What the exporter's keeper has said."""
    return []


@pytest.fixture
def keeper(told: list[str]):
    """A keeper over a small board; its process is ended with the test."""
    scoreboard = board.create(layout.shape_for(1))
    keeper = ExporterProcess(Policy(metrics="127.0.0.1:0"), scoreboard, (0, 0), 30.0, told.append)
    yield keeper
    keeper.stop()
    keeper.forget()
    scoreboard.close()


def descriptors() -> int:
    """How many this process has open; what an earlier test left to the collector is closed before."""
    gc.collect()
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("error", [TypeError("odd"), ValueError("odd"), OSError(24, "Too many open files")])
def test_a_start_that_raises_closes_what_it_opened(error, keeper, told, monkeypatch):
    """Fifty failed starts leave as many descriptors as there were."""

    def broken(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(exporter_process, "Popen", broken)
    before = descriptors()
    starts = [keeper.tend(1000.0 * turn) for turn in range(50)]

    assert (descriptors(), keeper.pid, len(told)) == (before, 0, 1)
    assert starts == [True] * 50


def test_failed_starts_wait_longer_each_time(keeper, told, monkeypatch):
    """1, 2, 4, ... up to 60 seconds."""

    def broken(*_args, **_kwargs):
        raise RuntimeError("odd")

    monkeypatch.setattr(exporter_process, "Popen", broken)
    tried = [second for second in range(200) if keeper.tend(float(second))]

    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_no_pipe_to_be_had_is_a_failed_start(keeper, told, monkeypatch):
    """At the limit of open files the pipe itself cannot be made."""

    def broken():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", broken)
    keeper.tend(1.0)

    assert told == ["exporter cannot start error=OSError: [Errno 24] Too many open files next_start_in_seconds=1"]


def test_entries_of_sys_path_that_are_no_text_are_left_out(keeper, monkeypatch):
    """Python ignores them, so the exporter starts without them."""
    monkeypatch.setattr(sys, "path", [*sys.path, pathlib.Path("/tmp"), None, b"/tmp", 7])
    keeper.tend(1.0)

    assert keeper._pipe
    assert all(isinstance(place, str) for place in keeper._given(0)["path"])


def test_a_pipe_that_the_app_closed_counts_as_the_exporters_end(keeper, told):
    """Some programs close every descriptor they find; the number may then belong to somebody else."""
    keeper.tend(1.0)
    os.close(keeper._pipe)
    keeper.tend(1.1)

    assert "exporter ended" in told[-1]


def test_the_exporter_tells_its_pid_and_is_no_child(keeper):
    """What was started forks once more and ends with 0; the exporter itself has another parent, an init perhaps."""
    keeper.tend(1.0)
    wait_for(lambda: keeper.tend(1.0) or keeper.pid, "its pid")
    parent = pathlib.Path(f"/proc/{keeper.pid}/stat").read_text().rpartition(")")[2].split()[1]

    assert int(parent) != os.getpid()
    assert pathlib.Path(f"/proc/{keeper.pid}/comm").read_text().strip() == "autotune-export"


def test_a_stray_child_that_holds_the_pipe_open_does_not_hide_the_arbiters_end():
    """A child that the app forks in the arbiter inherits the pipe; the pidfd tells all the same."""
    reader, writer = os.pipe()
    with subprocess.Popen(["sleep", "60"]) as arbiter:
        watched = exporter_main._watch(writer, [os.pidfd_open(arbiter.pid)])
        before = watched()
        arbiter.kill()

    assert (before, watched()) == (True, False)
    os.close(reader)
    os.close(writer)


def test_without_a_pidfd_the_pipe_tells():
    """Old kernels have none."""
    reader, writer = os.pipe()
    watched = exporter_main._watch(writer, [])
    before = watched()
    os.close(reader)

    assert (before, watched()) == (True, False)
    os.close(writer)


def test_one_that_has_not_told_its_pid_leaves_too(keeper):
    """A reload may change the exporter's settings a moment after the start."""
    keeper.tend(1.0)
    wait_for(lambda: exporters_of(os.getpid()), "an exporter")
    keeper.stop()

    assert keeper.pid == 0
    assert wait_for(lambda: not exporters_of(os.getpid()), "its end")


def test_one_that_somebody_has_stopped_leaves_when_asked(keeper):
    """SIGSTOP holds SIGTERM up, SIGCONT lets it through."""
    keeper.tend(1.0)
    wait_for(lambda: keeper.tend(1.0) or keeper.url, "its address")
    os.kill(keeper.pid, signal.SIGSTOP)
    keeper.stop()

    assert wait_for(lambda: not exporters_of(os.getpid()), "its end")
