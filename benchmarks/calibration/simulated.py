"""The same run in fake time."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.calibration.cells import DRAIN_SECONDS, MAX_WORKERS, MIN_WORKERS, Cell, Plan, plan
from benchmarks.calibration.observed import Observed
from benchmarks.calibration.probe import Constants
from benchmarks.openloop import Request

from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.testing import Application, Change, Machine, SimulatedHost, Trace, a_policy, autotuned
from gunicorn_autotune.testing.processes import Request as Simulated


class Recorded:
    """The law as a controller that keeps what a flight record would hold."""

    def __init__(self) -> None:
        self.law = autotuned(a_policy(min_workers=MIN_WORKERS, max_workers=MAX_WORKERS))
        self.ticks: list[Tick] = []

    def __call__(self, snapshot: Snapshot) -> int:
        """The target the law decides on."""
        target = self.law(snapshot)
        self.ticks.append(Tick(snapshot, self.law.decisions[-1][1]))
        return target


def simulated_run(cell: Cell, seed: int, constants: Constants, first_look_seconds: float = 0.0) -> Observed:
    """The plan of `seed` on a host with this machine's constants; a tick falls so long after the last phase begins.

    When the ticks fall is chance in a real run, and up to a quarter of a second of waiting at every step.
    """
    began = -(first_look_seconds + cell.step_at) % constants.tick_seconds
    drawn, law = plan(cell, seed), Recorded()
    machine = machine_of(cell, constants)
    host = SimulatedHost(
        application_of(cell, constants), _trace(cell, drawn, began), machine, workers=MIN_WORKERS, seed=seed,
        changes=_changes(cell, machine, constants, began),
    )  # fmt: skip
    host.run(law, constants.tick_seconds)
    answers = tuple(_answer(request, began) for request in host.requests[1:])
    return Observed(cell, began, tuple(law.ticks), answers, tuple(cpu + wait for cpu, wait in drawn.work))


def _answer(request: Simulated, began: float) -> Request:
    moment = request.arrived_at - began
    if request.finished_at is None:
        return Request(moment, 0.0, DRAIN_SECONDS, None, "unanswered")
    return Request(moment, 0.0, request.finished_at - request.arrived_at, 200)


def machine_of(cell: Cell, constants: Constants) -> Machine:
    """This machine, as the probe found it."""
    return Machine(
        cores=constants.cores,
        threads=cell.threads,
        accepts_ahead=cell.accepts_ahead,
        fork_seconds=constants.fork_seconds,
    )


def application_of(cell: Cell, constants: Constants) -> Application:
    """The app on its kind of server, as the probe found it; each request brings its own work."""
    server = constants.servers[cell.kind]
    return Application(
        cpu_seconds=0.0,
        wait_seconds=0.0,
        overhead_cpu_seconds=server.overhead_cpu_seconds,
        boot_cpu_seconds=server.boot_cpu_seconds,
        boot_wait_seconds=server.boot_wait_seconds,
    )


def _trace(cell: Cell, drawn: Plan, began: float) -> Trace:
    """The plan, after the one request that asked the real server whether it is up."""
    requests = [(began + at, cpu, wait) for at, (cpu, wait) in zip(drawn.moments, drawn.work, strict=True)]
    return Trace(round(cell.seconds) + DRAIN_SECONDS, ((0.0, 0.0, 0.0), *requests))


def _changes(cell: Cell, machine: Machine, constants: Constants, began: float) -> list[Change]:
    """What the generator takes of the cores changes with the rate."""
    begins = [sum(phase.seconds for phase in cell.phases[:number]) for number in range(len(cell.phases) + 1)]
    rates = [*(phase.rate for phase in cell.phases), 0.0]
    return [
        Change(began + at, machine=replace(machine, taken_cores=constants.taken_cores(rate)))
        for at, rate in zip(begins, rates, strict=True)
    ]
