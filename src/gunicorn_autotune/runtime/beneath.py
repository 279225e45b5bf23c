"""`-c python:gunicorn_autotune.conf`: the user's ./gunicorn.conf.py comes first, then what it leaves open."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gunicorn_autotune.runtime import reader, written

KEEPALIVE_SECONDS = 10
"""An idle connection of the proxy is kept longer than by the proxy itself, or requests are lost now and then (502).
It goes with `keepalive_timeout 4s; keepalive_time 2s;` in nginx's upstream."""
EXECUTED_AT_EACH_LOAD = (None, "", "__config__", reader.CONF)
"""Modules whose install() comes again with a HUP; Gunicorn calls a configuration file `__config__`."""


def read_theirs() -> dict[str, Any]:
    """The names in ./gunicorn.conf.py, but for what Python itself puts there; none where there is no such file."""
    if written.installed_in in EXECUTED_AT_EACH_LOAD:
        written.installed_in = None
    # Imported by anybody but Gunicorn, no file of theirs is to be executed.
    asked_for = reader.module_asked_for() == reader.CONF
    written.beneath, names = reader.default_file() if asked_for else ("", {})
    return {name: value for name, value in names.items() if not name.startswith("__")}


def they_installed() -> bool:
    """Whether their file, or a module that it imports, has called install(): its settings are the ones that count."""
    return written.installed_in is not None


def left_open(names: Collection[str]) -> dict[str, Any]:
    """What we set beside install(), unless theirs did, or all of us is off."""
    ours = "keepalive" not in names and written.policy.mode != "off"
    written.keepalive = KEEPALIVE_SECONDS if ours else None
    return {"keepalive": KEEPALIVE_SECONDS} if ours else {}
