"""The dynamic oracle boots ahead of time and keeps to what the cores and the database can use."""

from dataclasses import replace

from benchmarks.simulation.peers.clairvoyant import Clairvoyant, best_count, needs, stretched, throughput, variability
from benchmarks.simulation.workload import Workload
from benchmarks.simulation.workloads import NAMED, named

from gunicorn_autotune.testing import Application, Machine, steps

IO = Application(cpu_seconds=0.0, wait_seconds=0.1, boot_cpu_seconds=2.0)


def a_step(application: Application = IO, low: float = 10.0, high: float = 100.0) -> Workload:
    """`low` for 100 s, then `high` for 100 s, on two cores."""
    return Workload("step", application, steps((100, low), (100, high)), Machine(cores=2.0), seed=7)


def test_it_is_ready_when_the_step_comes():
    """Boots begin as early as they must, so that nobody waits for one."""
    workload = a_step()
    oracle = Clairvoyant(workload)

    outcome = workload.run(oracle, oracle.start)

    assert outcome.recovered_after(100.0, window_seconds=20.0) < 1.0
    assert 1 == len(outcome.actions)


def test_it_shrinks_when_a_minute_needs_no_more():
    """What comes back within 60 s is kept."""
    workload = replace(a_step(), load=steps((100, 100), (30, 10), (100, 100), (120, 10)))
    oracle = Clairvoyant(workload)

    actions = workload.run(oracle, oracle.start).actions

    assert [230.0 <= at for at, _, _ in actions] == [True] * len(actions)


def test_needs_follow_a_change_of_the_service_time():
    """The same rate needs ten times the slots when requests take ten times as long."""
    found = needs(named("latency-shift", 1))

    assert found[149] < 10 < 30 < found[150]


def test_needs_stay_below_the_cpu_formula():
    """CPU-bound work on two cores: 1.25 K + K sqrt(v), whatever comes in."""
    assert 5 == max(needs(named("cpu-step", 1)))


def test_a_degrading_database_is_never_given_more_than_its_best_count():
    """Twelve at once answer most; a third is lost with 64."""
    application = NAMED["db-degrades"](1).application

    assert 12 == best_count(application) == max(needs(named("db-degrades", 1)))
    assert 0.6 < throughput(application, 64) / throughput(application, 12) < 0.7


def test_waiting_for_a_core_doubles_a_request_at_most():
    """An overload has no steady state; the clamp decides there."""
    assert 0.02 == stretched(0.01, 500.0, 2.0)


def test_variability_of_plain_requests():
    """(1 + squared CV) / 2."""
    assert [0.5, 1.0, 2.5] == [variability(replace(IO, spread=one)) for one in ("constant", "exponential", "heavy")]
