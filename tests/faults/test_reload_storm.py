"""A server is reloaded again and again: nothing piles up, nobody notices.

AUTOTUNE_HUPS sets how often, 60 unless told otherwise: they take about 20 s.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.processes import children, ended, exporter_pid, open_files, resident_bytes, threads
from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
HUPS = int(os.environ.get("AUTOTUNE_HUPS", "60"))
WARM_UP = 5
MOST_GROWTH_BYTES = 4 << 20
# Gunicorn's own control server leaked a thread and files per reload before 25.3 (benoitc/gunicorn#3648): not ours.
CONFIG = "control_socket_disable = True"


@dataclass(frozen=True)
class Holding:
    """What a process holds on to."""

    threads: int
    open_files: int

    def within(self, before: Holding) -> bool:
        """Whether nothing was added; `before` may have seen a scrape being answered, and this not."""
        return self.threads <= before.threads and self.open_files <= before.open_files


def _reload(server: Server) -> None:
    """HUP, and wait until the old workers have been replaced by two ready ones."""
    before = set(server.pids())
    server.signal(signal.SIGHUP)
    wait_for(lambda: not before & set(server.pids()), "workers of the new set only")
    server.wait_for_ready(2)


def _holding(pid: int) -> Holding:
    return Holding(threads(pid), open_files(pid))


@pytest.mark.once
@pytest.mark.timeout(500)
def test_nothing_piles_up_in_arbiter_and_exporter(tmp_path: Path) -> None:
    """No more threads and files than after the first reloads, memory is bounded, no request fails."""
    with serving(tmp_path, CONFIG, max_workers=2) as server:
        arbiter, exporter = server.process.pid, exporter_pid(server)
        with steady(server) as load:
            for _ in range(WARM_UP):
                _reload(server)
            held, resident = {pid: _holding(pid) for pid in (arbiter, exporter)}, resident_bytes(arbiter)
            for _ in range(HUPS - WARM_UP):
                _reload(server)
        for pid, before in held.items():
            wait_for(lambda: _holding(pid).within(before), f"no more threads and files than before: {before}")  # noqa: B023
        grown = resident_bytes(arbiter) - resident
        wait_for(lambda: len(children(arbiter)) == 2, "two workers and no other child")
        server.wait_for_status(lambda status: status["mode"] == "active", "going on as before")
        figures = load.failed, ended(exporter)

    assert (figures, grown < MOST_GROWTH_BYTES) == (([], False), True), f"{grown} bytes more"
