"""Small random worlds for Hypothesis: an application, a machine, a load, what changes, and a policy in a hurry."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.testing import (
    MIB,
    Application,
    Change,
    Load,
    Machine,
    SimulatedHost,
    a_policy,
    at_once,
    autotuned,
    bursts,
    steps,
)
from tests.scenarios.parts import SENSORS

CALM_SECONDS = 5.0


@dataclass(frozen=True)
class World:
    """All that decides a run."""

    application: Application
    machine: Machine
    load: Load
    changes: tuple[Change, ...]
    policy: Policy
    workers: int
    seed: int


@dataclass(frozen=True)
class Asked:
    """One tick: what was read, what was decided."""

    snapshot: Snapshot
    decision: Decision


def history_of(world: World) -> list[Asked]:
    """Every tick of one run."""
    law, ticks = autotuned(world.policy), []

    def controller(snapshot: Snapshot) -> Decision:
        ticks.append(Asked(snapshot, law(snapshot)))
        return ticks[-1].decision

    host = SimulatedHost(
        world.application, world.load, world.machine, workers=world.workers, seed=world.seed, changes=world.changes
    )
    host.run(controller)
    return ticks


def blinded(world: World, *sensors: str) -> World:
    """`world` with these sensors hidden from start to end, whatever else is."""
    machine = replace(world.machine, hidden=world.machine.hidden | set(sensors))
    changes = tuple(
        replace(one, machine=replace(one.machine, hidden=one.machine.hidden | set(sensors))) if one.machine else one
        for one in world.changes
    )
    return replace(world, machine=machine, changes=changes)


applications = st.builds(
    Application,
    cpu_seconds=st.sampled_from([0.0, 0.005, 0.02, 0.1]),
    wait_seconds=st.sampled_from([0.0, 0.05, 0.2, 2.0]),
    spread=st.sampled_from(["constant", "exponential", "heavy"]),
    slow_share=st.sampled_from([0.0, 0.0, 0.02]),
    boot_cpu_seconds=st.sampled_from([0.02, 0.8, 4.0]),
    pool=st.sampled_from([None, None, 3]),
    coherency=st.sampled_from([0.0, 0.0, 0.02]),
    leak_bytes=st.sampled_from([0, 0, MIB]),
)
machines = st.builds(
    Machine,
    cores=st.sampled_from([0.5, 1.0, 2.0, 8.0]),
    neighbours=st.sampled_from([0, 0, 3]),
    memory_limit_bytes=st.sampled_from([200 * MIB, 500 * MIB, 8192 * MIB]),
    threads=st.sampled_from([1, 1, 4]),
    accepts_ahead=st.sampled_from([0, 40]),
    backlog_limit=st.sampled_from([20, 2048]),
    boots_fail_above=st.sampled_from([None, None, None, 4]),
    hidden=st.frozensets(st.sampled_from(SENSORS), max_size=2),
)
rates = st.sampled_from([0.0, 1.0, 10.0, 40.0])
loads = st.one_of(
    st.lists(st.tuples(st.sampled_from([5, 15, 25]), rates), min_size=2, max_size=4).map(lambda parts: steps(*parts)),
    st.builds(bursts, st.just(50), every=st.just(20), lasting=st.just(6), low=rates, high=st.just(60.0)),
    st.builds(lambda rate: at_once(steps((40, rate))), rates),
)
changes = st.lists(
    st.builds(
        Change,
        st.floats(1.0, 40.0),
        application=st.one_of(st.none(), applications),
        machine=st.one_of(st.none(), machines),
    ),
    max_size=2,
)


def _one_class_of_worker(world: World) -> World:
    """Threads do not change while a server runs."""
    kept = {"threads": world.machine.threads, "accepts_ahead": world.machine.accepts_ahead}
    same = [replace(one, machine=replace(one.machine, **kept)) if one.machine else one for one in world.changes]
    return replace(world, changes=tuple(same))


def _policy(low: int, more: int) -> Policy:
    return a_policy(min_workers=low, max_workers=low + more, calm_seconds=CALM_SECONDS, scale_down_window_seconds=10.0)


worlds = st.builds(
    World,
    applications,
    machines,
    loads,
    changes.map(tuple),
    st.builds(_policy, st.integers(1, 3), st.integers(0, 30)),
    workers=st.integers(1, 8),
    seed=st.integers(1, 1000),
).map(_one_class_of_worker)
