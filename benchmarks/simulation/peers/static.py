"""A fixed worker count: what every Gunicorn does today.

2K + 1 is the advice of Gunicorn's own docs (docs.gunicorn.org, "How Many Workers?"); all of them start with the server.
"""

from __future__ import annotations

from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.testing import Controller, Machine

SWEEP = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)
"""Counts among which the best static one is looked for, with hindsight, for each workload."""


def static(count: int) -> Controller:
    """Always `count`."""

    def controller(_snapshot: Snapshot) -> int:
        return count

    return controller


def rule_of_thumb(machine: Machine) -> int:
    """2K + 1, K whole cores."""
    return 2 * max(1, round(machine.cores)) + 1
