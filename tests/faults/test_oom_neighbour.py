"""A neighbour in the server's cgroup eats memory until the kernel kills somebody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.cgroups import MIB, Group, own_group
from tests.faults.processes import exporter_pid
from tests.faults.steady import steady
from tests.server import Server, serving, wait_for

pytestmark = [pytest.mark.real, pytest.mark.once]
WORKERS = 3
EATER = """
import os, pathlib, sys
procs, counter, manner = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
if manner == "first":
    pathlib.Path("/proc/self/oom_score_adj").write_text("1000")
procs.write_text("0")
end, kept = os.pipe(), []
def killed():
    return int(dict(line.split() for line in counter.read_text().splitlines())["oom_kill"])
def eat(mebibytes):
    kept.append(bytearray(b"x") * (mebibytes << 20))
def eat_in_another_process():
    if not os.fork():
        os.close(end[1])
        eat(8)
        os.read(end[0], 1)  # until the first one has ended
        os._exit(0)
enough = killed() + int(sys.argv[4])
while killed() < enough:
    eat(1) if manner == "first" else eat_in_another_process()
"""
"""Joins the group and eats, until it is killed or the kernel has killed enough others."""
FIRST, LAST = "first", "last"
"""When the kernel chooses the neighbour: before all others, or, as many small processes, after the server's."""


def eat(group: Group, manner: str, kills: int = 1) -> int:
    """Let a neighbour eat until the kernel has killed that often; its exit code."""
    arguments = [str(group.procs), str(group.oom_events), manner, str(kills)]
    return subprocess.run([sys.executable, "-c", EATER, *arguments], timeout=60, check=False).returncode


def exits(server: Server, reason: str) -> float:
    """Workers that ended for this reason."""
    return server.metric(f'gunicorn_worker_exits_total{{reason="{reason}"}}')


BLAME_SOON = """
from gunicorn_autotune.runtime import surroundings
surroundings.OOM_BLAME_SECONDS = 1.0
"""


@contextmanager
def crowded(folder: Path, config: str = "") -> Iterator[tuple[Group, Server]]:
    """A server of three workers at least, in a group that has room for more."""
    with own_group("memory") as group:
        group.limit_memory(400 * MIB)
        with serving(folder, group.join + config, app="heavy:app", min_workers=WORKERS) as server:
            server.wait_for_ready(WORKERS)
            yield group, server


def adjustment(pid: int) -> int:
    """What the kernel adds to the size of a process when it chooses whom to kill."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize(("setting", "steps"), [("on", [300, 300, 300, 150]), ("off", [0, 0, 0, 0])])
def test_the_kernel_is_to_take_workers_then_the_exporter_then_the_arbiter(
    setting: str, steps: list[int], tmp_path: Path
) -> None:
    """By what the arbiter was given itself; switched off, all have that, as under plain Gunicorn."""
    own = adjustment(os.getpid())
    with serving(tmp_path, min_workers=WORKERS, oom_workers_first=setting) as server:
        pids = [*server.wait_for_ready(WORKERS), exporter_pid(server)]
        found = [adjustment(server.process.pid), *map(adjustment, pids)]

    assert [own, *(own + step for step in steps)] == found


def test_a_killed_neighbour_costs_nobody_a_request(tmp_path: Path) -> None:
    """The neighbour is chosen: all requests are answered, the kill is seen, ticks go on."""
    with crowded(tmp_path) as (group, server), steady(server) as load:
        ended = eat(group, FIRST)
        server.wait_for_status(lambda status: status["host"]["oom_kills"] == 1, "the kill seen in the status")
        ticks = server.status()["tally"]["ticks"]
        server.wait_for_status(lambda status: status["tally"]["ticks"] > ticks + 4, "more ticks")
        load.answered(20)

    assert ([], -signal.SIGKILL) == (load.failed, ended)


def test_a_killed_neighbour_is_not_taken_for_a_worker(tmp_path: Path) -> None:
    """A worker that somebody kills a while later was not killed for memory, whatever the group's counter says."""
    with crowded(tmp_path, BLAME_SOON) as (group, server):
        eat(group, FIRST)
        server.wait_for_status(lambda status: status["host"]["oom_kills"] == 1, "the kill seen in the status")
        seen = server.status()["monotonic"]
        server.wait_for_status(lambda status: status["monotonic"] > seen + 3, "some seconds more")
        os.kill(server.pids()[0], signal.SIGKILL)
        wait_for(lambda: exits(server, "signal") + exits(server, "oom_kill"), "a counted exit")
        counted = exits(server, "signal"), exits(server, "oom_kill")

    assert (1, 0) == counted


@pytest.mark.parametrize("kills", [1, 2])
def test_killed_workers_cost_their_own_requests_at_most(kills: int, tmp_path: Path) -> None:
    """Workers are chosen: each is replaced and counted as oom_kill; the others' requests are all answered."""
    with crowded(tmp_path) as (group, server), steady(server) as load:
        eat(group, LAST, kills)
        wait_for(lambda: exits(server, "oom_kill") + exits(server, "signal") >= kills, "counted exits")
        server.wait_for_status(lambda status: len(status["workers"]) == status["target"], "the replacements")
        load.answered(20)
        counted = exits(server, "oom_kill"), exits(server, "signal")
        killed = group.oom_kills

    assert (killed, 0) == counted
    assert len(load.failed) <= killed


def test_after_a_kill_no_more_workers_are_run_than_fitted(tmp_path: Path) -> None:
    """With memory free again growth stops for a while at what fitted when the kernel killed, and says why."""
    with crowded(tmp_path) as (group, server):
        server.wait_for_status(lambda status: status["caps"].get("memory", 0) > WORKERS, "room for more workers")
        eat(group, FIRST)
        server.wait_for_status(lambda status: status["caps"]["memory"] <= WORKERS, "a lower cap")
        for _ in range(WORKERS + 2):
            server.hold("/sleep?s=4")
        server.wait_for_status(lambda status: status["decision"]["reason"] == "at_memory_cap", "growth it forbids")
        grown = server.log.count("action=grow")

    assert 0 == grown
