"""The exporter is nobody's worker: no child of the arbiter, and gone when that is, even if somebody stopped it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.faults.processes import children, ended, exporter_pid, exporters_of
from tests.server import APPS, SOURCE, serving, wait_for

pytestmark = pytest.mark.real


@pytest.mark.parametrize("farewell", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_a_stopped_exporter_leaves_with_its_arbiter(farewell: int, tmp_path: Path) -> None:
    """SIGSTOP, and then whatever ends the arbiter: the exporter ends too, and its port is free."""
    with serving(tmp_path, "timeout = 2") as server:  # a worker looks for its parent every second
        exporter, workers = exporter_pid(server), server.pids()
        server.wait_for_log("exporter listening")  # once its last line is read, nothing wakes it but the pipe's end
        os.kill(exporter, signal.SIGSTOP)
        wait_for(lambda: ") T " in Path(f"/proc/{exporter}/stat").read_text(), "a stopped exporter")
        server.signal(farewell)
        server.process.wait(20)
        gone = wait_for(lambda: ended(exporter), "the end of the exporter", 5)
        wait_for(lambda: all(map(ended, workers)), "the end of the workers")

    assert gone


def test_whoever_counts_the_arbiters_children_counts_workers(tmp_path: Path) -> None:
    """As psutil's children() and `pgrep -P` do; also when the exporter was killed and has come back."""
    with serving(tmp_path, "workers = 2", max_workers=2) as server:
        workers = server.wait_for_ready(2)
        first = exporter_pid(server)
        wait_for(lambda: sorted(children(server.process.pid)) == sorted(workers), "no child but the workers")
        os.kill(first, signal.SIGKILL)
        server.wait_for_log(rf"autotune: exporter ended pid={first}")
        wait_for(lambda: exporters_of(server.process.pid), "another exporter")
        wait_for(lambda: server.pids() == workers, "its answer")
        now = wait_for(lambda: children(server.process.pid), "children")

    assert sorted(now) == sorted(workers)


def test_the_exporter_runs_the_arbiters_own_package(tmp_path: Path) -> None:
    """PYTHONPATH shows the arbiter another copy than the installed one, and both read the same memory."""
    other = tmp_path / "other"
    shutil.copytree(SOURCE / "gunicorn_autotune", other / "gunicorn_autotune")
    entry = other / "gunicorn_autotune" / "runtime" / "exporter_main.py"
    entry.write_text(entry.read_text().replace('"autotune-export"', '"another-copy"'))
    with serving(tmp_path, env={"PYTHONPATH": f"{APPS}{os.pathsep}{other}"}) as server:
        name = Path(f"/proc/{exporter_pid(server)}/comm").read_text().strip()

    assert name == "another-copy"
