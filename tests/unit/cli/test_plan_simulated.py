"""A plan made from an autotuned run, then run as it stands on the same simulated host under the same load."""

from dataclasses import replace

import pytest

from gunicorn_autotune.cli.plan_observe import observe
from gunicorn_autotune.cli.plan_settings import settings_of
from gunicorn_autotune.cli.plan_staffing import staffing_of
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.testing import MIB, Application, Machine, SimulatedHost, a_policy, autotuned, steps
from tests.unit.cli.records import SYNC

WAITING = Application(cpu_seconds=0.002, wait_seconds=0.1)
COMPUTING = Application(cpu_seconds=0.02, wait_seconds=0.0)
LARGE = replace(WAITING, worker_bytes=100 * MIB)
CASES = {
    "waiting": (WAITING, steps((30, 10), (90, 150)), Machine(), 0.02),
    "computing": (COMPUTING, steps((30, 40), (90, 60)), Machine(), 0.05),
    "large": (LARGE, steps((90, 120)), Machine(memory_limit_bytes=1024 * MIB), 0.05),
}


def recorded(application, load, machine):
    """Ticks of a run that autotune sized."""
    snapshots, tuned = [], autotuned(a_policy())

    def controller(snapshot):
        snapshots.append(snapshot)
        return tuned(snapshot)

    SimulatedHost(application, load, machine).run(controller)
    return [Tick(snapshot, decision) for snapshot, (_, decision) in zip(snapshots, tuned.decisions, strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_the_planned_settings_serve_the_load_they_were_planned_for(case):
    """Hardly a request is late, though nothing adapts any more."""
    application, load, machine, most = CASES[case]
    observed = observe(SYNC, a_policy(), recorded(application, load, machine))
    plan = {one.name: one.value for one in settings_of(observed, staffing_of(observed))}
    fixed = replace(machine, threads=plan["threads"], accepts_ahead=plan.get("worker_connections", 1) - plan["threads"])
    outcome = SimulatedHost(application, load, fixed, workers=plan["workers"]).run(lambda _: plan["workers"])

    assert outcome.late_share < most
