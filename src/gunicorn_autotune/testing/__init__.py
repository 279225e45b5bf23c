"""FOR TESTS, yours too: builders of readings and snapshots, and a server in fake time that drives the same law.

    from gunicorn_autotune.testing import Application, Machine, SimulatedHost, a_policy, autotuned, steps

    host = SimulatedHost(Application(wait_seconds=0.1), steps((60, 10), (240, 150)), Machine(cores=2))
    outcome = host.run(autotuned(a_policy(max_workers=40)))
    print(outcome.late_share, outcome.mean_workers)

Nothing here reads the host or the clock; the same seed gives the same run.
"""

from gunicorn_autotune.testing.builders import (
    MIB,
    NOT_READ,
    a_host,
    a_policy,
    a_snapshot,
    a_worker,
    some_workers,
)
from gunicorn_autotune.testing.host import Autotuned, Controller, SimulatedHost, autotuned
from gunicorn_autotune.testing.load import Load, Trace, at_once, bursts, day, noisy, steps
from gunicorn_autotune.testing.outcome import Outcome, Second
from gunicorn_autotune.testing.world import Application, Change, Machine

__all__ = [
    "Application", "Machine", "Change", "SimulatedHost", "Outcome", "Second",
    "Controller", "Autotuned", "autotuned",
    "Load", "Trace", "steps", "bursts", "day", "noisy", "at_once",
    "MIB", "NOT_READ", "a_policy", "a_worker", "some_workers", "a_host", "a_snapshot",
]  # fmt: skip
