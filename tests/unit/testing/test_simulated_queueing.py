"""SimulatedHost obeys the theory: where a formula is known, the run agrees with it."""

import math
from functools import cache

import pytest

from gunicorn_autotune.law.staffing import erlang_c
from gunicorn_autotune.testing import Application, Machine, SimulatedHost, steps

SERVICE_SECONDS = 0.1


def played(application, load, machine=None, workers=1):
    """The outcome with a count that never changes; few ticks, for only the requests matter."""
    return SimulatedHost(application, load, machine, workers=workers).run(lambda _: workers, tick_seconds=1.0)


@cache
def waits(workers, utilisation, spread="exponential"):
    """What requests waited for n workers that only wait themselves; 40,000 of them."""
    rate = workers * utilisation / SERVICE_SECONDS
    outcome = played(Application(spread=spread), steps((40000 / rate, rate)), workers=workers)
    return [wait for _, wait in outcome.waits]


def mean(figures):
    """The plain mean."""
    return sum(figures) / len(figures)


def saturated(application, workers, machine=None, rate=400.0, seconds=40):
    """Requests per second with always somebody waiting; the first ten seconds do not count."""
    outcome = played(application, steps((seconds, rate)), machine, workers)
    return mean([second.finished for second in outcome.history[10:]])


@pytest.mark.parametrize(("workers", "utilisation"), [(1, 0.6), (3, 0.75), (10, 0.7)])
def test_the_share_that_waits_is_erlang_c(workers, utilisation):
    """Poisson arrivals, exponential service: P(wait) of M/M/n."""
    waited = mean([float(wait > 0.0) for wait in waits(workers, utilisation)])

    assert waited == pytest.approx(erlang_c(workers, workers * utilisation), rel=0.07)


@pytest.mark.parametrize(("workers", "utilisation"), [(1, 0.6), (3, 0.75), (10, 0.7)])
def test_the_mean_wait_is_that_of_erlang_c(workers, utilisation):
    """C(n, a) * s / (n - a)."""
    load = workers * utilisation
    expected = erlang_c(workers, load) * SERVICE_SECONDS / (workers - load)

    assert mean(waits(workers, utilisation)) == pytest.approx(expected, rel=0.10)


def test_constant_service_waits_half_as_long():
    """M/D/1 against M/M/1 (Pollaczek and Khinchine): (1 + squared CV) / 2 = 1/2."""
    expected = 0.5 * erlang_c(1, 0.6) * SERVICE_SECONDS / 0.4

    assert mean(waits(1, 0.6, "constant")) == pytest.approx(expected, rel=0.10)


@pytest.mark.parametrize("spread", ["exponential", "heavy"])
def test_response_under_processor_sharing_is_that_of_m_g_1(spread):
    """One core, workers for everybody: c / (1 - rho), whatever the distribution."""
    application = Application(cpu_seconds=0.02, wait_seconds=0.0, spread=spread)
    outcome = played(application, steps((1500, 30.0)), Machine(cores=1.0), workers=100)

    assert mean(outcome.responses) == pytest.approx(0.02 / (1.0 - 0.6), rel=0.08)


@pytest.mark.parametrize(
    ("workers", "machine", "per_second"),
    [
        pytest.param(2, Machine(cores=2.0), 100.0, id="a worker a core"),
        pytest.param(16, Machine(cores=2.0), 100.0, id="eight workers a core"),
        pytest.param(3, Machine(cores=0.5), 25.0, id="half a core by quota"),
        pytest.param(2, Machine(cores=2.0, neighbours=2), 50.0, id="half of two cores, by two neighbours"),
    ],
)
def test_cpu_bound_throughput_is_cores_over_cpu_time(workers, machine, per_second):
    """K / c, with the K that quota and neighbours leave, as soon as there is a worker a core."""
    application = Application(cpu_seconds=0.02, wait_seconds=0.0, spread="constant")

    assert saturated(application, workers, machine) == pytest.approx(per_second, rel=0.01)


@pytest.mark.parametrize("workers", [5, 10, 30])
def test_a_pool_caps_throughput(workers):
    """Five connections of 50 ms: 100 per second, however many workers."""
    application = Application(wait_seconds=0.05, pool=5, spread="constant")

    assert saturated(application, workers) == pytest.approx(100.0, rel=0.01)


@pytest.mark.parametrize("workers", [4, 8, 11, 16, 30])
def test_a_slowing_database_follows_the_universal_law(workers):
    """X(n) = n / (w (1 + contention (n - 1) + coherency n (n - 1))), Gunther."""
    application = Application(wait_seconds=0.05, contention=0.03, coherency=0.008, spread="constant")
    slowdown = 1.0 + 0.03 * (workers - 1) + 0.008 * workers * (workers - 1)

    assert saturated(application, workers) == pytest.approx(workers / 0.05 / slowdown, rel=0.02)


def test_the_universal_law_peaks_where_it_should():
    """sqrt((1 - contention) / coherency) = 11."""
    application = Application(wait_seconds=0.05, contention=0.03, coherency=0.008, spread="constant")
    throughput = {workers: saturated(application, workers) for workers in (8, 11, 15)}

    assert round(math.sqrt(0.97 / 0.008)) == max(throughput, key=throughput.get) == 11


def test_one_process_never_uses_more_than_one_core():
    """Eight threads, four cores, 20 ms of CPU under the GIL: 50 per second, one core in use."""
    application = Application(cpu_seconds=0.02, wait_seconds=0.02, spread="constant")

    assert saturated(application, 1, Machine(cores=4.0, threads=8), rate=200.0) == pytest.approx(50.0, rel=0.01)


def test_a_gil_turn_is_not_run_queue_delay():
    """Waiting for the GIL is sleep to the kernel: busy 8, cpu 1, delay 0."""
    seen = []
    application = Application(cpu_seconds=0.02, wait_seconds=0.0, spread="constant")
    host = SimulatedHost(application, steps((20, 200.0)), Machine(cores=4.0, threads=8), workers=1)
    host.run(lambda snapshot: seen.append(snapshot.totals) or 1)
    first, last = seen[40], seen[-1]

    assert last.busy_seconds - first.busy_seconds == pytest.approx(8.0 * 9.75, rel=0.01)
    assert last.cpu_seconds - first.cpu_seconds == pytest.approx(9.75, rel=0.01)
    assert last.run_delay_seconds == 0.0


def test_cpu_and_run_delay_add_up_to_the_wall():
    """Six CPU-bound workers on two cores: a third of the time on a core, two thirds waiting for one."""
    seen = []
    application = Application(cpu_seconds=0.02, wait_seconds=0.0)
    host = SimulatedHost(application, steps((30, 200.0)), Machine(cores=2.0), workers=6)
    host.run(lambda snapshot: seen.append(snapshot.totals) or 6)
    totals = seen[-1]

    assert totals.cpu_seconds / totals.busy_seconds == pytest.approx(1 / 3, rel=0.02)
    assert totals.run_delay_seconds / totals.busy_seconds == pytest.approx(2 / 3, rel=0.02)
    assert totals.cpu_seconds + totals.run_delay_seconds == pytest.approx(totals.busy_seconds)


def test_busy_time_is_the_offered_load():
    """Little's law: requests per second times seconds each."""
    seen = []
    host = SimulatedHost(Application(), steps((1000, 30.0)), workers=20)
    host.run(lambda snapshot: seen.append(snapshot.totals) or 20)

    assert seen[-1].busy_seconds / 1000.0 == pytest.approx(3.0, rel=0.03)
