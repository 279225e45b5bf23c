"""The cores this server may use, and whether they are all in use."""

from __future__ import annotations

from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import HostReading, Missing

FULL_SHARE = 0.9


def cores_of(policy: Policy, host: HostReading) -> float | None:
    """Cores the operator or the host grants; None when unknown."""
    cores = policy.cpu_limit_cores or host.cpu_limit_cores
    if isinstance(cores, Missing) or not 0.0 < cores < 1e6:
        return None
    return cores


def cores_full(policy: Policy, view: View) -> bool:
    """Ready workers used 90 % of the cores over the last 3 s: one more would only take from the others.

    .NET's hill climbing refuses to add a thread above 95 % CPU.
    """
    cores = cores_of(policy, view.snapshot.host)
    return cores is not None and view.fast.cpu is not None and view.fast.cpu >= FULL_SHARE * cores
