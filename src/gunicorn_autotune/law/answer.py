"""What the rules of a decision answer."""

from __future__ import annotations

from dataclasses import dataclass

from gunicorn_autotune.model.decisions import Action, Cause, Reason
from gunicorn_autotune.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Choice:
    """What is done and why; `target` equals the present count for a hold."""

    action: Action
    reason: Reason
    target: int
    victim: int | None = None
    """Age of the worker that leaves, where it matters."""
    cause: Cause | None = None
    """Of a recycle."""


def hold(snapshot: Snapshot, reason: Reason, cause: Cause | None = None) -> Choice:
    """Leave the count as it is."""
    return Choice(Action.HOLD, reason, snapshot.target, cause=cause)
