"""From the configuration file into the arbiter: check the settings, then wait for `Arbiter.start`.

A file's own `on_starting` may stand below our call and would silently replace a hook we put there, so no hook of ours
ever stands in the file. Everything is attached when the arbiter starts, on top of whatever hooks it then has.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

from gunicorn_autotune.exporter.address import check_setting
from gunicorn_autotune.model.policy import names_written, policy_from
from gunicorn_autotune.runtime import compat, switch, user_metrics, written
from gunicorn_autotune.runtime.log import line


def install(namespace: dict[str, Any], settings: dict[str, Any]) -> None:
    """Check `settings` against the environment and remember them for the arbiter that starts next.

    A wrong one stops the boot with one line on stderr and exit code 1. During a reload it must not, nor may a fault of
    ours at any time: what runs goes on as it is, which the error log tells (stderr where there is none yet).
    """
    server = switch.running()
    try:
        _remember(settings)
    except ValueError as error:
        where = namespace.get("__file__", "configuration")
        if server is None:
            raise SystemExit(f"gunicorn-autotune: {where}: {error}") from None
        server.log.error(line("reload refused, running settings stay", file=where, error=error))
    except Exception:
        told = line("could not be installed, Gunicorn serves on without it")
        if server is None:
            print(told, traceback.format_exc(), sep="\n", file=sys.stderr, flush=True)
        else:
            server.log.exception(told)


def _remember(settings: dict[str, Any]) -> None:
    policy = policy_from(settings, os.environ)
    check_setting(policy.metrics)
    names = names_written(settings, os.environ)
    compat.note_what_is_set()
    compat.extend_arbiter(switch.before_setup, switch.after_setup, switch.before_start)
    written.policy, written.names = policy, names
    if policy.mode != "off":
        user_metrics.learn(policy, {})
