"""From the configuration file into the arbiter: check the settings, then wait for `Arbiter.start`.

A file's own `on_starting` may stand below our call and would silently replace a hook we put there, so no hook of ours
ever stands in the file. Everything is attached when the arbiter starts, on top of whatever hooks it then has.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn_autotune.exporter.address import check_setting
from gunicorn_autotune.model.policy import names_written, policy_from
from gunicorn_autotune.runtime import arbiter, compat, user_metrics, written
from gunicorn_autotune.runtime.log import line

_started_in_pid = 0


def install(namespace: dict[str, Any], settings: dict[str, Any]) -> None:
    """Check `settings` against the environment and remember them for the arbiter that starts next.

    A PolicyError stops the boot with one line on stderr and exit code 1. During a reload it must not: the running
    policy stays and the line is logged.
    """
    try:
        policy = policy_from(settings, os.environ)
        check_setting(policy.metrics)
    except ValueError as error:
        where = namespace.get("__file__", "configuration")
        if _started_in_pid == os.getpid():
            print(line("reload refused, running settings stay", file=where, error=error), file=sys.stderr, flush=True)
            return
        raise SystemExit(f"gunicorn-autotune: {where}: {error}") from None
    written.policy, written.names = policy, names_written(settings, os.environ)
    compat.note_what_is_set()
    if policy.mode != "off":
        compat.before_start(_adopt)
        user_metrics.prepare(policy)


def _adopt(server: Any) -> None:
    """Called by the arbiter as the first thing of its start."""
    global _started_in_pid
    _started_in_pid = os.getpid()
    if written.policy.mode != "off":
        arbiter.adopt(server, written.policy)
