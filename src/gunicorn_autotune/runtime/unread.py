"""Readings that sizing goes by and that cannot be had: one line in the log for each reason."""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.model.unread import WORKER_NAMES, by_reason, unread_of_host, unread_of_workers
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune

LASTS_SECONDS = 3.0
"""For less long a reading may be missing by chance: a worker has just died."""
MOST_REASONS = 50
"""A reason that changes with every look must not fill a disk."""


def tell(server: Any, tune: Autotune, snapshot: Snapshot) -> None:
    """Log what has been missing for a while, and keep the workers' part for the status document."""
    tune.unread = unread_of_workers(snapshot)
    reasons = by_reason(unread_of_host(snapshot) | {WORKER_NAMES[name]: why for name, why in tune.unread.items()})
    tune.unread_since = {why: tune.unread_since.get(why, snapshot.at) for why in reasons}
    for why, names in reasons.items():
        lasts = snapshot.at - tune.unread_since[why] >= LASTS_SECONDS
        if lasts and why not in tune.unread_told and len(tune.unread_told) < MOST_REASONS:
            tune.unread_told.add(why)
            told = "some readings are unavailable; run gunicorn-autotune doctor (logged once)"
            server.log.warning(line(told, what=", ".join(names), error=why))
