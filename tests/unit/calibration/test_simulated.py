"""The simulated side: a trace goes through the host as it was sent, and the constants of the machine take effect."""

import pytest
from benchmarks.calibration.cells import CELLS, plan, shortened
from benchmarks.calibration.observed import figures, first_look_seconds
from benchmarks.calibration.probe import Constants, ServerConstants
from benchmarks.calibration.runner import LOOKS, chance
from benchmarks.calibration.server import KINDS
from benchmarks.calibration.simulated import application_of, machine_of, simulated_run

from gunicorn_autotune.testing import Application, Machine, SimulatedHost, Trace

SERVER = ServerConstants(boot_cpu_seconds=0.003, boot_wait_seconds=0.002, overhead_cpu_seconds=0.001)
CONSTANTS = Constants(
    cores=2.0, fork_seconds=0.001, generator_cpu_seconds=0.0005, arbiter_cores=0.01, tick_seconds=0.251,
    servers=dict.fromkeys(KINDS, SERVER),
)  # fmt: skip


def two_workers(_snapshot: object) -> int:
    """A controller that never changes anything."""
    return 2


def test_a_trace_brings_its_own_work():
    """The application's means do not count; its overhead does, and each request knows when it was answered."""
    host = SimulatedHost(
        Application(cpu_seconds=9.0, wait_seconds=9.0, overhead_cpu_seconds=0.01),
        Trace(5, ((1.0, 0.2, 0.3), (1.5, 0.0, 0.0))),
    )
    host.run(two_workers)

    assert [request.finished_at for request in host.requests] == pytest.approx([1.51, 1.51])


def test_cores_that_others_take_are_unseen_and_missing():
    """Two requests share what is left of two cores; the sensors still read two."""
    host = SimulatedHost(
        Application(), Trace(5, ((0.0, 1.0, 0.0), (0.0, 1.0, 0.0))), Machine(cores=2.0, taken_cores=1.0)
    )
    seen = []
    host.run(lambda snapshot: seen.append(snapshot.host.cpu_limit_cores) or 2)

    assert [request.finished_at for request in host.requests] == pytest.approx([2.0, 2.0])
    assert {2.0} == set(seen)


@pytest.mark.parametrize("name", list(CELLS))
def test_every_cell_runs_in_fake_time(name):
    """Each request of the plan is answered, and the same seed gives the same figures."""
    cell = shortened(CELLS[name], 3.0)
    once, again = simulated_run(cell, 1, CONSTANTS), simulated_run(cell, 1, CONSTANTS)

    assert figures(once) == figures(again)
    assert len(plan(cell, 1).moments) == len(once.answers)
    assert 0 == figures(once)["failed"]


@pytest.mark.parametrize("seconds", [0.01, 0.13, 0.25])
def test_the_ticks_of_the_simulator_fall_as_told(seconds):
    """When the ticks of a real run fall is chance, so it is given."""
    run = simulated_run(shortened(CELLS["step"], 3.0), 1, CONSTANTS, seconds)

    assert first_look_seconds(run) == pytest.approx(seconds)


def test_what_the_probe_measured_is_what_the_simulator_gets():
    """Only gthread with Gunicorn's own worker_connections accepts ahead of its threads."""
    assert 0.06 == pytest.approx(CONSTANTS.taken_cores(100.0))
    assert 0.001 == application_of(CELLS["io"], CONSTANTS).overhead_cpu_seconds
    ahead = {name: machine_of(cell, CONSTANTS).accepts_ahead for name, cell in CELLS.items()}
    assert {"gthread_ahead": 996} == {name: count for name, count in ahead.items() if count}


def test_chance_is_told_by_other_ticks():
    """One run for each moment, the judged figures only, and the same again."""
    cell = shortened(CELLS["io"], 3.0)
    found = chance(cell, 1, CONSTANTS)

    assert LOOKS == len(found)
    assert {"late_share", "mean_workers"} == set(found[0])
    assert found == chance(cell, 1, CONSTANTS)
