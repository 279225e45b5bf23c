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
    """Why the file, or Gunicorn itself, could not be read, in one line."""


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
        return Probe(error=_last_words(said) or f"exit code {ended.returncode}")
    why = "" if found.get("settings") else found.get("error") or _last_words(said) or "it ended the process"
    return Probe(
        gunicorn=found.get("gunicorn", ""),
        missing_names=tuple(found.get("missing_names", ())),
        settings=found.get("settings", {}),
        policy=found.get("policy"),
        kind=found.get("kind", ""),
        error=why,
    )


def _last_words(said: list[str]) -> str:
    """What Gunicorn says last, with the setting it names one line above."""
    last = said[-1].removeprefix("Error: ") if said else ""
    return f"{said[-2]}: {last}" if len(said) > 1 and said[-2].startswith("Invalid value") else last
