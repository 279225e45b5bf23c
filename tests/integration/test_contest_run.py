"""One short run of the contest with real servers in real groups: what is measured is what happened."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.contest.contenders import GUNICORNS, Contender, static
from benchmarks.contest.host import Layout, groups, here
from benchmarks.contest.run import one_run
from benchmarks.contest.workloads import WORKLOADS, Workload, shortened
from benchmarks.demo_server import NotStartedError
from benchmarks.openloop import Phase

pytestmark = [pytest.mark.real, pytest.mark.once]
ADAPTIVE, THREADED = GUNICORNS


@pytest.fixture(scope="module")
def cores() -> Layout:
    """As the contest would have them."""
    return here()


def needs_memory_group(cores: Layout) -> None:
    """Skips for who may make none; for root in CI that is a failure."""
    if "memory" not in cores.groups:
        assert not (os.environ.get("CI") == "true" and os.geteuid() == 0), "no memory cgroup"
        pytest.skip("no memory cgroup can be made here")


def brief(name: str, rate: float, seconds: float = 2.0) -> Workload:
    """A workload's app under an even, short load."""
    return replace(WORKLOADS[name], phases=(Phase(rate, seconds),), step_at=None)


@pytest.mark.parametrize("contender", [ADAPTIVE, THREADED, static(3)], ids=lambda one: one.name)
def test_a_light_load_is_served_by_everybody(cores: Layout, contender: Contender) -> None:
    """Every request is answered, and workers, memory and CPU are seen from outside."""
    found = one_run(contender, brief("io", 10), 1, cores)["figures"]
    assert found["failed"] == 0
    assert 2 <= found["most_workers"] <= 8
    assert found["gb_seconds"] > 0.02
    assert 0.0005 < found["cpu_seconds_per_request"] < 0.2


def test_the_static_count_is_what_the_watcher_sees(cores: Layout) -> None:
    """Three sync workers are three, without the arbiter."""
    assert one_run(static(3), brief("io", 10), 1, cores)["figures"]["most_workers"] == 3


def test_a_pool_of_ten_serves_ten_at_once(cores: Layout) -> None:
    """200 queries a second of 100 ms get no more than 100 answers a second from it."""
    found = one_run(static(20), brief("pool", 200, 3.0), 1, cores)["figures"]
    assert found["throughput"] <= 102
    assert found["throughput"] >= 60 or found["others_cores"] > 0.5  # beside other programs it is their CPU that lacks


def test_a_leak_ends_in_the_groups_memory(cores: Layout) -> None:
    """Without anybody who recycles, the kernel kills in the group, and the kill is counted."""
    needs_memory_group(cores)
    leak = replace(brief("leak", 100, 4.0), leak_bytes=4 << 20)
    assert one_run(static(2), leak, 1, cores)["figures"]["oom_kills"] >= 1


def test_a_server_that_cannot_start_says_why(cores: Layout) -> None:
    """The last lines of its log, not a run without answers."""

    def command(*_: Any) -> list[str]:
        return ["sh", "-c", "echo the port is taken; exit 3"]

    with pytest.raises(NotStartedError, match="the port is taken"):
        one_run(Contender("broken", "broken", command), brief("io", 10), 1, cores)


def test_groups_are_gone_after_a_run(cores: Layout) -> None:
    """Nothing is left under /sys/fs/cgroup."""
    with groups(1 << 28, cores.server_cores) as held:
        paths = [Path(path) for path in (held.memory and held.memory.path, held.cpuset, held.cpuacct) if path]
        assert all(path.is_dir() for path in paths)
    assert not any(path.exists() for path in paths)


def test_a_shortened_run_has_figures_for_its_step(cores: Layout) -> None:
    """As `--quick` runs it: time to capacity is a number or never, but it is there."""
    assert "back_seconds" in one_run(ADAPTIVE, shortened(WORKLOADS["step"]), 1, cores)["figures"]
