"""The controllers of the comparison by name, each within 2 to 64 workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.simulation.peers.apache import Prefork
from benchmarks.simulation.peers.boot_limit import BootLimited
from benchmarks.simulation.peers.clairvoyant import Clairvoyant
from benchmarks.simulation.peers.knative import KnativePodAutoscaler
from benchmarks.simulation.peers.paced import MAX_WORKERS, MIN_WORKERS
from benchmarks.simulation.peers.queue_steps import QueueSteps
from benchmarks.simulation.peers.square_root import SquareRoot
from benchmarks.simulation.peers.static import rule_of_thumb, static
from benchmarks.simulation.peers.uwsgi import Busyness
from benchmarks.simulation.workload import START_WORKERS, Workload

from gunicorn_autotune.testing import Controller, a_policy, autotuned

OURS = "ours"
BEST_STATIC = "best-static"
CLAIRVOYANT = "clairvoyant"
Made = tuple[Controller, int]
"""A controller and the workers it begins with."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the tables."""

    title: str
    make: Callable[[Workload], Made] | None
    """None: the best of the static sweep, found with hindsight."""
    installable: bool = True
    """A peer somebody could run; an oracle and «64 workers, RAM is free» are yardsticks only."""


def _ours(_workload: Workload) -> Made:
    return autotuned(a_policy(min_workers=MIN_WORKERS, max_workers=MAX_WORKERS)), START_WORKERS


def _fixed(count_of: Callable[[Workload], int]) -> Callable[[Workload], Made]:
    def make(workload: Workload) -> Made:
        count = count_of(workload)
        return static(count), count

    return make


def _adaptive(make: Callable[[], Controller]) -> Callable[[Workload], Made]:
    return lambda _workload: (make(), START_WORKERS)


def _clairvoyant(workload: Workload) -> Made:
    oracle = Clairvoyant(workload)
    return oracle, oracle.start


CONTENDERS: dict[str, Contender] = {
    OURS: Contender("gunicorn-autotune", _ours),
    "apache": Contender("Apache prefork 5/10", _adaptive(Prefork)),
    "uwsgi": Contender("uWSGI busyness", _adaptive(Busyness)),
    "kpa": Contender("Knative KPA", _adaptive(KnativePodAutoscaler)),
    "kpa-limited": Contender("KPA + our boot limit", _adaptive(lambda: BootLimited(KnativePodAutoscaler()))),
    "queue-steps": Contender("queue time, steps of 1", _adaptive(QueueSteps)),
    "square-root": Contender("busy + 2 sqrt(busy)", _adaptive(SquareRoot)),
    "static-2k1": Contender("static 2K + 1", _fixed(lambda workload: rule_of_thumb(workload.machine))),
    "static-64": Contender("static 64", _fixed(lambda _workload: MAX_WORKERS), installable=False),
    BEST_STATIC: Contender("static oracle", None, installable=False),
    CLAIRVOYANT: Contender("dynamic oracle", _clairvoyant, installable=False),
}
PEERS = tuple(name for name, one in CONTENDERS.items() if one.installable and name != OURS)
"""What somebody could run instead of ours."""
