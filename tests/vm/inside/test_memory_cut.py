"""MemoryMax of a running service is cut under load below its use, to room for twice the workers that the load needs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.steady import steady
from tests.server import wait_for
from tests.vm.inside.units import MIB, PATIENCE_SECONDS, Service, service

WORKERS, ROOM_FOR = 12, 6
"""The load keeps 2 to 3 busy."""
ANSWERS_AFTER = 60
Record = Callable[[str, object], None]


@dataclass(frozen=True)
class Account:
    """Of one cut."""

    from_mib: int
    to_mib: int
    arbiter_survived: bool
    killed: int
    """Processes, by the kernel's own log: the counters of a cgroup go with it."""
    sent: int
    failed: int
    why: list[str]
    workers_after: int


def cut(app: str, **how: Any) -> Account:
    """One service, one cut under load."""
    config = f"workers = {WORKERS}\nbacklog = 256"
    with service("MemoryMax=900M", config=config, app=app, **how) as server:
        wait_for(
            lambda: len(server.workers()) == WORKERS and server.get("/")[0] == 200, "all workers", PATIENCE_SECONDS
        )
        arbiter, began, used = server.process.pid, time.time(), used_bytes(server)
        limit = used - (WORKERS - ROOM_FOR) * sum(map(private_bytes, server.workers())) // WORKERS
        with steady(server, "/sleep?s=0.2", requests_per_second=10.0, patience_seconds=PATIENCE_SECONDS) as load:
            server.set(f"MemoryMax={limit}")
            wait_for(lambda: load.asked > ANSWERS_AFTER, "the end of the load", PATIENCE_SECONDS)
        survived = server.process.pid == arbiter
        workers = len(server.workers()) if survived else 0
    died, failed = killed(began), load.failed
    return Account(used // MIB, limit // MIB, survived, died, load.sent, len(failed), failed[:3], workers)


def used_bytes(server: Service) -> int:
    """Without the file pages, which the kernel takes back first."""
    return int((server.group / "memory.current").read_text()) - server.events("file", "memory.stat")


def private_bytes(pid: int) -> int:
    """What is gone with this process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


def killed(since: float) -> int:
    """Processes that the kernel ended for want of memory."""
    words = ["journalctl", "-q", "-k", "-o", "cat", f"--since=@{since:.0f}"]
    log = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return log.count("Killed process")


def told(record: Record, accounts: list[Account]) -> None:
    """For the table."""
    for account in accounts:
        print(json.dumps(asdict(account)))
    record("arbiter alive", f"{sum(one.arbiter_survived for one in accounts)} of {len(accounts)}")
    record("killed by the kernel", sum(one.killed for one in accounts))
    record("failed", f"{sum(one.failed for one in accounts)} of {sum(one.sent for one in accounts)}")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("app", "times"), [("plain:app", 10), ("heavy:app", 3)])
def test_the_arbiter_survives_and_no_more_requests_fail_than_processes_were_killed(
    record_property: Record, app: str, times: int
) -> None:
    """Each time: of an app so small that the arbiter is the largest process, and with workers of 40 MiB."""
    accounts = [cut(app, max_workers=WORKERS) for _ in range(times)]
    told(record_property, accounts)

    assert [one for one in accounts if not one.arbiter_survived or not one.workers_after] == []
    assert [one for one in accounts if one.failed > one.killed] == []


@pytest.mark.timeout(600)
def test_plain_gunicorn_loses_its_arbiter_or_goes_on_dying(record_property: Record) -> None:
    """The comparison: as many workers as before do not fit, and it always starts them again."""
    accounts = [cut("plain:app", ours=False) for _ in range(2)]
    told(record_property, accounts)

    assert [one for one in accounts if one.arbiter_survived and one.killed == 0] == []
