"""What a loaded configuration comes to that nobody wrote, a log line each: what differs, and what goes unseen."""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.model.intent import Intent, intent
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime import compat, slots, written
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.setup import resolved_max
from gunicorn_autotune.runtime.state import Autotune


def intended(server: Any, policy: Policy) -> Intent:
    """What is written for the worker count, ours and Gunicorn's, as one; for the configuration just loaded."""
    return intent(policy, written.names, compat.written_workers(server.cfg), resolved_max(policy))


def tell(server: Any, tune: Autotune, meant: Intent) -> None:
    """Log what differs, unless the load before this one differed in the same way."""
    found = (*_changed_by_us(server, tune, meant), *written.notes(server.cfg), *_unseen(tune))
    for sentence in found:
        if sentence not in tune.differences:
            server.log.info(line(sentence))
    tune.differences = found
    tune.gunicorn = tune.gunicorn | {"differences": list(found)}


def _unseen(tune: Autotune) -> tuple[str, ...]:
    if tune.records:
        return ()
    return (
        f"{tune.identity.worker_class} does not report its requests: neither they nor whether a worker is busy are "
        "seen; the count follows the kernel's queue and the CPU in use",
    )


def _changed_by_us(server: Any, tune: Autotune, meant: Intent) -> tuple[str, ...]:
    """Nothing while we only observe."""
    if tune.mode is not Mode.ACTIVE:
        return ()
    limit = server.cfg.max_requests
    if not slots.keeps_max_requests(tune, limit):
        return meant.said
    return (
        *meant.said,
        f"max_requests = {limit} is kept by autotune: a replacement boots first, and a worker leaves by itself at two "
        "to three times that (max_requests_owner = gunicorn: at once)",
    )
