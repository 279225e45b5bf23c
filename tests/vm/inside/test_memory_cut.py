"""MemoryMax of a running service is cut under load, to half: room for the workers that the load needs, and some."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from tests.faults.steady import steady
from tests.server import wait_for
from tests.vm.inside.units import MIB, Service, service

WORKERS = 12
"""40 MiB each. The load keeps 2 busy."""
TIMES = 10
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


def cut(**how: Any) -> Account:
    """One service, one cut under load."""
    with service("MemoryMax=900M", config=f"workers = {WORKERS}\nbacklog = 256", app="heavy:app", **how) as server:
        wait_for(lambda: len(server.workers()) == WORKERS and server.get("/")[0] == 200, "all workers", 90)
        arbiter, began, used = server.process.pid, time.time(), used_bytes(server)
        with steady(server, "/sleep?s=0.2", requests_per_second=10.0, patience_seconds=60.0) as load:
            server.set(f"MemoryMax={used // 2}")
            wait_for(lambda: load.asked > ANSWERS_AFTER, "the end of the load", 90)
        survived = server.process.pid == arbiter
        workers = len(server.workers()) if survived else 0
        return Account(
            used // MIB,
            used // 2 // MIB,
            survived,
            killed(began),
            load.sent,
            len(load.failed),
            load.failed[:3],
            workers,
        )


def used_bytes(server: Service) -> int:
    """Once all workers have loaded what they hold."""
    before = 0

    def settled() -> int:
        nonlocal before
        last, before = before, int((server.group / "memory.current").read_text())
        return before if last and before - last < MIB else 0

    return wait_for(settled, "memory in use to settle")


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
def test_the_arbiter_survives_and_no_more_requests_fail_than_processes_were_killed(record_property: Record) -> None:
    """Each time."""
    accounts = [cut(max_workers=WORKERS) for _ in range(TIMES)]
    told(record_property, accounts)

    assert [one for one in accounts if not one.arbiter_survived] == []
    assert [one for one in accounts if one.failed > one.killed] == []


@pytest.mark.timeout(600)
def test_plain_gunicorn_loses_its_arbiter_or_goes_on_dying(record_property: Record) -> None:
    """The comparison: as many workers as before do not fit, and it always starts them again."""
    accounts = [cut(ours=False) for _ in range(2)]
    told(record_property, accounts)

    assert [one for one in accounts if one.arbiter_survived and one.killed == 0] == []
