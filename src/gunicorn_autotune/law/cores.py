"""The cores this server may use, and whether they are all in use."""

from __future__ import annotations

from gunicorn_autotune.law.spans import Span
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

    .NET's hill climbing refuses to add a thread above 95 % CPU. Or the CPU quota was used up: by others under it too.
    """
    return used_up(cores_of(policy, view.snapshot.host), view.fast)


def used_up(cores: float | None, span: Span) -> bool:
    """Whether ready workers used 90 % of `cores`, or a CPU quota ran out in 90 % of its periods.

    Whoever runs out of a quota in 90 % of the periods has used 90 % of it: the same mark, but for all that runs under
    the quota. Not while boots take more than the rest: they end, and say nothing about the load.
    """
    if cores is not None and span.cpu is not None and span.cpu >= FULL_SHARE * cores:
        return True
    booting = cores is not None and span.boot_cpu > (1.0 - FULL_SHARE) * cores
    return span.quota_full is not None and span.quota_full >= FULL_SHARE and not booting
