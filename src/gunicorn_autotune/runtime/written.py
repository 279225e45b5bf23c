"""What was written, when it was read last; a HUP reads it again."""

from __future__ import annotations

from gunicorn_autotune.model.policy import Policy

policy = Policy()
"""From install() and the environment; what is in force may differ (model.intent)."""
names: frozenset[str] = frozenset()
"""The settings in it that somebody wrote."""


def notes(cfg: object) -> tuple[str, ...]:
    """What gunicorn_autotune.conf did beside install(), one sentence each."""
    return ()
