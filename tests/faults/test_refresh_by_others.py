"""Others renew the workers: by TTIN and TTOU, or by ending the oldest child. It ends with a whole new set."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.monitors import SAYS_READY, AirflowMonitor, replace_oldest_child
from tests.faults.processes import children
from tests.faults.steady import steady
from tests.server import launched, wait_for, write_config

pytestmark = pytest.mark.real
WORKERS = 2
CONFIG = f"workers = {WORKERS}\n" + SAYS_READY
# Who keeps the count himself pins it, or the two would pull at it.
OURS = f"""
from gunicorn_autotune import install
install(globals(), min_workers={WORKERS}, max_workers={WORKERS})
"""


def by_airflow(master: int) -> None:
    """Two at a time."""
    AirflowMonitor(master, WORKERS, batch=2).refresh_all()


def by_script(master: int) -> None:
    """As many children as there are workers."""
    for _ in range(WORKERS):
        replace_oldest_child(master)


def _refreshed(folder: Path, config: str, refresh: Callable[[int], None]) -> tuple[int, int, list[str]]:
    """How many workers are left of the old set and how many of the new one, and the requests that failed."""
    folder.mkdir()
    with launched(folder, "-c", str(write_config(folder, config))) as server:
        wait_for(lambda: server.get()[0] == 200, "an answer")
        if config != CONFIG:
            server.wait_for_log("exporter listening")
        wait_for(lambda: len(children(server.process.pid)) >= WORKERS, "workers")
        before = set(children(server.process.pid))
        # All busy most of the time, so that none of the old set is idle when its turn comes, and the new one is.
        with steady(server, "/sleep?s=0.25", requests_per_second=7) as load:
            refresh(server.process.pid)
        after = set(children(server.process.pid))
    return len(before & after), len(after - before), load.failed


@pytest.mark.parametrize("refresh", [by_airflow, by_script])
def test_it_ends_with_a_whole_new_set(refresh: Callable[[int], None], tmp_path: Path) -> None:
    """As with plain Gunicorn: no worker of the old set is left, the count is as before, no request fails."""
    with ThreadPoolExecutor() as servers:
        plain = servers.submit(_refreshed, tmp_path / "plain", CONFIG, refresh)
        ours = servers.submit(_refreshed, tmp_path / "ours", CONFIG + OURS, refresh)

    assert (ours.result(), plain.result()) == ((0, WORKERS, []), (0, WORKERS, []))
