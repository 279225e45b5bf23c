"""Gunicorn and its configuration file, looked at by a process of its own (probe_child.py).

A configuration file is a program: it may exit, print or patch, so it must not run inside `doctor`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

DEFAULT_LOCATION = "python:gunicorn_autotune.conf"
"""What `doctor` looks at without --config: Gunicorn's defaults with autotune's."""
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Probe:
    """What the child found; empty parts where it did not get that far."""

    gunicorn: str = ""
    """Version; empty when it cannot be imported."""
    missing_names: tuple[str, ...] = ()
    """Private names we lean on and this Gunicorn has not."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Gunicorn's, resolved from file and GUNICORN_CMD_ARGS; empty when the file could not be read."""
    policy: dict[str, Any] | None = None
    """Autotune's settings; None when install() was not called."""
    kind: str = ""
    """How the worker class runs requests (runtime/compat.py)."""
    error: str = ""
    """Why the file, or Gunicorn itself, could not be read: the last line of what it said."""


def probe(location: str | None) -> Probe:
    """Run the child. Never raises for anything a file or an installation does."""
    command = [sys.executable, "-m", "gunicorn_autotune.cli.probe_child", location or DEFAULT_LOCATION]
    # Else a file that calls prometheus_client itself might touch the files of a running server.
    environment = {name: text for name, text in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    try:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probe(error=str(error))
    said = [line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    try:
        found = json.loads(ended.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return Probe(error=said[-1] if said else f"exit code {ended.returncode}")
    last = said[-1] if said else "it ended the process"
    return Probe(
        found.get("gunicorn", ""), tuple(found.get("missing_names", ())), found.get("settings", {}),
        found.get("policy"), found.get("kind", ""), "" if found.get("settings") else found.get("error", last),
    )  # fmt: skip
