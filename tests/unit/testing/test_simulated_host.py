"""SimulatedHost keeps its books: boots, drains, kills, drops, and what the sensors read of them."""

import pytest

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import (
    MIB,
    Application,
    Change,
    Machine,
    SimulatedHost,
    a_policy,
    at_once,
    autotuned,
    bursts,
    steps,
)

NOBODY = steps((10, 0.0))
FLOOD = steps((10, 100.0))
ENDLESS = Application(wait_seconds=1000.0, spread="constant")


def watched(application, load, machine=None, workers=2, wanted=None, changes=()):
    """(outcome, snapshots) of a run where `wanted(at)` workers are asked for, `workers` by default."""
    seen = []

    def controller(snapshot):
        seen.append(snapshot)
        return wanted(snapshot.at) if wanted else workers

    outcome = SimulatedHost(application, load, machine, workers=workers, changes=changes).run(controller)
    return outcome, seen


@pytest.mark.parametrize(("boots", "cores"), [(1, 2.0), (2, 2.0), (6, 2.0), (4, 0.5)])
def test_boots_share_the_cores(boots, cores):
    """k boots of c seconds on K cores are all over after max(c, k * c / K)."""
    application = Application(boot_cpu_seconds=1.0, boot_wait_seconds=0.0)
    machine = Machine(cores=cores, fork_seconds=0.0)
    _, seen = watched(application, NOBODY, machine, 1, lambda _: 1 + boots)
    up = [worker.ready_at for worker in seen[-1].workers]

    assert [pytest.approx(0.25 + max(1.0, boots / cores))] * boots == up[1:]


def test_a_boot_takes_cpu_from_requests():
    """Two CPU-bound workers and two boots on two cores: the requests get half until the boots are over."""
    application = Application(cpu_seconds=0.02, wait_seconds=0.0, spread="constant", boot_cpu_seconds=2.0)
    outcome, _ = watched(application, FLOOD, Machine(cores=2.0), 2, lambda at: 4 if at > 2.9 else 2)
    before, during = outcome.history[2].finished, outcome.history[4].finished

    assert (100, 50) == (pytest.approx(before, abs=2), pytest.approx(during, abs=2))


def test_a_boot_is_not_load():
    """Its CPU is in a counter of its own."""
    _, seen = watched(Application(boot_cpu_seconds=1.0), NOBODY, None, 1, lambda _: 3)
    totals = seen[-1].totals

    assert (0.0, 2.0, 2) == (totals.cpu_seconds, pytest.approx(totals.boot_cpu_seconds), totals.boots)


def test_a_booting_worker_leaves_before_one_that_serves():
    """Its import is not paid for yet, and the core is free at once."""
    _, seen = watched(Application(boot_cpu_seconds=5.0), NOBODY, None, 2, lambda at: 4 if at < 2.0 else 2)

    assert (2, 0.0) == (len(seen[-1].workers), seen[-1].totals.boots)
    assert seen[-1].totals.boot_cpu_seconds == pytest.approx(2 * 1.75, abs=0.05)


def test_a_draining_worker_finishes_its_request():
    """One of two busy workers is sent away: it takes no more, answers, and goes."""
    application = Application(wait_seconds=3.0, spread="constant")
    outcome, seen = watched(application, FLOOD, None, 2, lambda at: 2 if at < 1.0 else 1)
    draining = [one for one in seen if WorkerState.DRAINING in {worker.state for worker in one.workers}]

    assert pytest.approx(3.0, abs=0.5) == draining[-1].at
    assert (0, 2 + 1 + 1) == (outcome.dropped, outcome.finished)


def test_an_idle_worker_leaves_before_a_busy_one():
    """Nobody waits for it."""
    application = Application(wait_seconds=1000.0)
    _, seen = watched(application, at_once(steps((5, 0.4))), None, 8, lambda at: 8 if at < 4.0 else 4)
    before, after = seen[14], seen[-1]
    busy = {worker.pid for worker in before.workers if worker.in_flight}

    assert 0 < len(busy) <= 4
    assert (4, True) == (len(after.workers), busy <= {worker.pid for worker in after.workers})


def test_the_oom_killer_takes_the_fattest():
    """One worker has served more than the others and leaked; it goes, its place is taken by a new one."""
    application = Application(wait_seconds=0.01, worker_bytes=10 * MIB, shared_bytes=0, leak_bytes=MIB)
    outcome, seen = watched(application, steps((10, 5.0)), Machine(memory_limit_bytes=60 * MIB), 3)
    first = next(i for i, one in enumerate(seen) if one.host.oom_kills)
    before = {worker.pid: worker.memory.uss_bytes for worker in seen[first - 1].workers}
    gone = before.keys() - {worker.pid for worker in seen[first].workers}

    assert {max(before, key=before.get)} == gone
    assert (outcome.oom_kills, 3) == (seen[-1].host.oom_kills, len(seen[-1].workers))


def test_a_killed_worker_loses_its_request():
    """The request is dropped, and its connection of the pool is not lost for ever."""
    application = Application(wait_seconds=1.0, spread="constant", pool=1, shared_bytes=0)
    low = Change(2.5, machine=Machine(memory_limit_bytes=60 * MIB))
    high = Change(2.6, machine=Machine())
    outcome, _ = watched(application, FLOOD, None, 2, changes=[low, high])

    assert (1, 1) == (outcome.oom_kills, outcome.dropped)
    assert outcome.finished == pytest.approx(8, abs=1)


def test_a_pool_that_goes_away_lets_everybody_through():
    """Those that wait for a connection do not wait for ever when the limit is lifted."""
    application = Application(wait_seconds=1.0, spread="constant", pool=1)
    lifted = Change(5.1, application=Application(wait_seconds=1.0, spread="constant"))
    _, seen = watched(application, FLOOD, None, 10, changes=[lifted])

    assert seen[-1].totals.requests_finished >= 5 + 10 * 3


def test_a_full_backlog_drops():
    """One is served, ten wait, the rest is refused."""
    outcome, _ = watched(ENDLESS, FLOOD, Machine(backlog_limit=10), 1)

    assert outcome.arrived - 11 == outcome.dropped > 900


def test_requests_of_no_length_are_served_too():
    """A backlog of thousand requests that take no time at all is gone at once."""
    free = Change(7.5, application=Application(wait_seconds=0.0))
    outcome, seen = watched(Application(wait_seconds=8.0, spread="constant"), FLOOD, None, 1, changes=[free])

    assert (0, outcome.arrived) == (seen[-1].listeners[0].backlog, outcome.finished + outcome.history[-1].in_service)
    assert outcome.finished > 500


def test_a_boot_that_fails_is_taken_back():
    """The third worker fails: the count goes back to two, and a pause begins."""
    outcome, seen = watched(Application(), NOBODY, Machine(boots_fail_above=2), 2, lambda at: 3 if at < 1.1 else 2)

    assert (1, 2, 2) == (outcome.failed_boots, len(seen[-1].workers), seen[-1].target)
    assert seen[-1].boot_backoff_until == pytest.approx(10.0 + 0.25 + 0.8 + 0.2, abs=0.01)


def test_connections_accepted_ahead_wait_inside_the_worker():
    """The kernel's backlog is empty, the snapshot shows who holds them, the outcome counts them as waiting."""
    outcome, seen = watched(ENDLESS, steps((10, 50.0)), Machine(threads=4, accepts_ahead=996), 1)
    worker = seen[-1].workers[0]

    assert (0, 4) == (seen[-1].listeners[0].backlog, worker.in_flight)
    assert outcome.arrived - 4 == worker.queued == len(outcome.left_waiting) == outcome.history[-1].waiting


def test_a_threaded_worker_drains_what_it_accepted():
    """No connection it has taken is lost when it goes."""
    machine = Machine(threads=2, accepts_ahead=8)
    outcome, _ = watched(Application(), steps((2, 100.0), (20, 0.0)), machine, 2, lambda at: 2 if at < 1.5 else 1)

    assert (0, outcome.arrived) == (outcome.dropped, outcome.finished)


WORLDS = {
    "calm": (Application(), Machine()),
    "overload": (Application(wait_seconds=1.0), Machine(backlog_limit=20)),
    "pool": (Application(cpu_seconds=0.01, pool=2, pooled_share=0.5), Machine()),
    "threads": (Application(cpu_seconds=0.01), Machine(threads=3, accepts_ahead=5)),
    "killed": (Application(cpu_seconds=0.01, leak_bytes=4 * MIB), Machine(memory_limit_bytes=200 * MIB, threads=4)),
    "killed with a pool": (Application(pool=2, leak_bytes=4 * MIB), Machine(memory_limit_bytes=200 * MIB)),
    "failing": (Application(), Machine(boots_fail_above=3)),
    "crowded": (Application(cpu_seconds=0.05, coherency=0.01), Machine(neighbours=3, cores=1.5)),
}


@pytest.mark.parametrize("world", WORLDS)
def test_no_request_is_lost_from_the_books(world):
    """Arrived = finished + dropped + waiting + in service, whatever happens to the workers."""
    application, machine = WORLDS[world]
    load = bursts(60, every=10, lasting=4, low=5, high=60)
    outcome, _ = watched(application, load, machine, 2, lambda at: 2 + int(at / 3) % 5)
    last = outcome.history[-1]

    assert outcome.arrived == outcome.finished + outcome.dropped + last.waiting + last.in_service


def test_the_same_seed_is_the_same_run():
    """To the last figure; another seed is another run."""
    one, same, other = (
        SimulatedHost(Application(), FLOOD, Machine(threads=2, accepts_ahead=3), seed=seed).run(autotuned(a_policy()))
        for seed in (7, 7, 8)
    )

    assert one == same != other


def test_every_controller_meets_the_same_requests():
    """What arrives and how long it takes is drawn before the run."""
    one, two = (SimulatedHost(Application(), FLOOD, workers=workers, seed=3) for workers in (1, 40))

    assert [(r.arrived_at, r.scale) for r in one.requests] == [(r.arrived_at, r.scale) for r in two.requests]


SENSORS = {
    "backlog": lambda seen: seen.listeners[0].backlog,
    "busy": lambda seen: seen.totals.busy_seconds,
    "cpu": lambda seen: seen.totals.cpu_seconds,
    "run_delay": lambda seen: seen.totals.run_delay_seconds,
    "queue_time": lambda seen: Missing("never written") if not any(seen.totals.queue_time_counts) else 0,
    "memory": lambda seen: seen.workers[0].memory,
    "memory_limit": lambda seen: seen.host.memory_limit_bytes,
    "cores": lambda seen: seen.host.cpu_limit_cores,
}


@pytest.mark.parametrize("hidden", SENSORS)
def test_a_hidden_sensor_is_missing_and_no_other(hidden):
    """Missing is neither 0 nor an error."""
    _, seen = watched(Application(), FLOOD, Machine(hidden=frozenset({hidden})))
    missing = {name for name, read in SENSORS.items() if isinstance(read(seen[-1]), Missing)}

    assert {hidden} == missing
