"""Gunicorn and its configuration file, looked at by a process of its own (probe_child.py).

A configuration file is a program: it may exit, print or patch, so it must not run inside `doctor`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gunicorn_autotune.cli.style import CommandError

DEFAULT_LOCATION = "python:gunicorn_autotune.conf"
"""What `doctor` looks at without --config: Gunicorn's defaults with autotune's."""
TIMEOUT_SECONDS = 60
FILE, CMD_ARGS, COMMAND_LINE = "configuration", "GUNICORN_CMD_ARGS", "command line"
"""Origins of a setting; another one is the name of a variable of the environment."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the child found; empty parts where it did not get that far."""

    gunicorn: str = ""
    """Version; empty when it cannot be imported."""
    missing_names: tuple[str, ...] = ()
    """Private names we lean on and this Gunicorn has not."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Gunicorn's, resolved from file, GUNICORN_CMD_ARGS and arguments; empty when the file could not be read."""
    origins: dict[str, str] = field(default_factory=dict)
    """Of settings by Gunicorn's names; those left at their default are absent."""
    policy: dict[str, Any] | None = None
    """Autotune's settings; None when install() was not called."""
    kind: str = ""
    """How the worker class runs requests (runtime/compat.py)."""
    error: str = ""
    """Why the file, or Gunicorn itself, could not be read, in one line."""


def check_location(location: str) -> None:
    """A CommandError unless --config is `python:MODULE` or a file that exists."""
    if not location.startswith("python:") and not Path(location.removeprefix("file:")).is_file():
        raise CommandError(f"--config = {location!r}: must be a file that exists, or python:MODULE")


def probe(location: str | None, arguments: Sequence[str] = ()) -> Probe:
    """Run the child. Never raises for anything a file or an installation does.

    `arguments` are more words of Gunicorn's command line, which beat the file.
    """
    child = "gunicorn_autotune.cli.probe_child"
    command = [sys.executable, "-m", child, location or DEFAULT_LOCATION, *arguments]
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
        origins=found.get("origins", {}),
        policy=found.get("policy"),
        kind=found.get("kind", ""),
        error=why,
    )


def _last_words(said: list[str]) -> str:
    """What Gunicorn says last, with the setting it names one line above."""
    last = said[-1].removeprefix("Error: ") if said else ""
    return f"{said[-2]}: {last}" if len(said) > 1 and said[-2].startswith("Invalid value") else last
