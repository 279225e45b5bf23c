"""What somebody wrote for Gunicorn's `workers`, beside our bounds: what is started, and what is said about it.

What is written is obeyed at the start. What is not written (Gunicorn's own default is 1) is ours to choose.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from gunicorn_autotune.model.policy import MOST_WORKERS, Policy

BOUNDS = frozenset({"min_workers", "max_workers"})


@dataclass(frozen=True, slots=True)
class Intent:
    """The bounds in force, and a sentence for each difference from what was written."""

    policy: Policy
    workers: int | None
    """As written; None: nothing is."""
    said: tuple[str, ...] = ()


def within(policy: Policy, workers: int) -> int:
    """`workers` inside the bounds; `policy.max_workers` must be above 0."""
    return max(policy.min_workers, min(workers, policy.max_workers))


def intent(policy: Policy, names: Collection[str], workers: int | None, automatic_max: int) -> Intent:
    """`policy` brought into line with a written `workers`; `names` are the settings that somebody wrote.

    `automatic_max` is what max_workers = 0 means on this host.
    """
    if workers is None:
        return Intent(policy, None)
    if workers == 1 and not BOUNDS & set(names):
        return Intent(_one_alone(policy, names), 1, (ONE,))
    if workers and "min_workers" not in names:
        policy = replace(policy, min_workers=min(policy.min_workers, workers))
    if not policy.max_workers and workers > automatic_max:
        most = min(workers, MOST_WORKERS)
        policy = replace(policy, max_workers=most)
        said = [f"max_workers is {most}, not the automatic {automatic_max}: workers = {workers} is written"]
    else:
        said = []
    start = within(policy if policy.max_workers else replace(policy, max_workers=automatic_max), workers)
    if start != workers:
        bound = f"max_workers = {policy.max_workers}" if start < workers else f"min_workers = {policy.min_workers}"
        said.append(f"{start} workers are started, not the written workers = {workers}: {bound}")
    return Intent(policy, workers, tuple(said))


ONE = (
    "workers = 1 is written, so there is one worker, always; max_workers, in install() or as "
    "GUNICORN_AUTOTUNE_MAX_WORKERS, allows more"
)


def _one_alone(policy: Policy, names: Collection[str]) -> Policy:
    """One process, often by need (state in the process, a scheduler, SQLite): never two beside each other.

    So a recycled worker leaves before its replacement is there, when Gunicorn's own max_requests says so.
    """
    alone = {"min_workers": 1, "max_workers": 1, "recycle_surge": "off", "max_requests_owner": "gunicorn"}
    return replace(policy, **{name: value for name, value in alone.items() if name not in names})  # type: ignore[arg-type]
