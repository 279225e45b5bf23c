"""What was written, when it was read last; a HUP reads it again."""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.model.policy import Policy

policy = Policy()
"""From install() and the environment; what is in force may differ (model.intent)."""
names: frozenset[str] = frozenset()
"""The settings in it that somebody wrote."""
installed_in: str | None = None
"""The module that called install() last."""
beneath = ""
"""The ./gunicorn.conf.py that was read beneath `-c python:gunicorn_autotune.conf`."""
keepalive: int | None = None
"""Gunicorn's `keepalive`, if gunicorn_autotune.conf gave it a value."""


def notes(cfg: Any) -> tuple[str, ...]:
    """What gunicorn_autotune.conf did beside install(), one sentence each."""
    said = [f"{beneath} is read beneath python:gunicorn_autotune.conf, and what it sets wins"] if beneath else []
    default = cfg.settings["keepalive"].default
    if keepalive not in (None, default) and cfg.keepalive == keepalive:
        said.append(f"keepalive = {keepalive} comes from gunicorn_autotune.conf; Gunicorn's own is {default}")
    return tuple(said)
