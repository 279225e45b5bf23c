"""One workload: an application under a load on a machine, with the seed its requests are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gunicorn_autotune.testing import Application, Change, Controller, Load, Machine, Outcome, SimulatedHost

START_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything a run depends on but the controller."""

    name: str
    application: Application
    load: Load
    machine: Machine
    changes: tuple[Change, ...] = ()
    seed: int = 1
    about: str = ""
    """Its parameters in one line."""

    def run(self, controller: Controller, workers: int = START_WORKERS) -> Outcome:
        """Serve it once; the same controller and seed give the same outcome."""
        host = SimulatedHost(
            self.application, self.load, self.machine, workers=workers, seed=self.seed, changes=self.changes
        )
        return host.run(controller)

    def phases(self) -> Sequence[tuple[int, Application]]:
        """(from second, application), in order: what the changes make of it."""
        told = [(0, self.application)]
        for change in sorted(self.changes, key=lambda one: one.at):
            told.append((int(change.at), change.application or told[-1][1]))
        return told

    def application_at(self, second: int) -> Application:
        """The application that serves in this second."""
        return [application for since, application in self.phases() if since <= second][-1]
