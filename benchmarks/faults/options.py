"""What the command line may change, and how a cell says that it cannot run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = Path(__file__).parent / "apps"
QUICK_SECONDS = 30.0

Tell = Callable[[str], None]
"""Takes one line of progress."""


class NotRunError(Exception):
    """What a cell needs is not here; the message is one line that says what."""


@dataclass(frozen=True)
class Options:
    """How long, and on which Gunicorn."""

    python: str
    """The interpreter whose Gunicorn is measured."""
    gunicorn: str
    """Its version."""
    leak_seconds: float = 300.0
    """Of each run of the leak."""
    recycles: int = 500
    """With ours, over all servers together, and as many with Gunicorn's own."""
    soak_minutes: float = 30.0
    """Of the soak, and of the soak under disturbances."""
    seed: int = 1
    """Of the disturbances."""
    quick: bool = False
    """Each run about QUICK_SECONDS; the figures are worth little."""


def gunicorn_of(python: str) -> str:
    """The version of the Gunicorn that `python` runs; NotRunError when there is none, or no autotune beside it."""
    command = [python, "-c", "import gunicorn, gunicorn_autotune; print(gunicorn.__version__)"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise NotRunError(f"--gunicorn = {python}, must be a Python: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NotRunError(f"--gunicorn = {python}, must be a Python: it does not answer") from None
    lines = told.stdout.split()
    if told.returncode or len(lines) != 1:
        last = (told.stderr.strip() or told.stdout.strip() or "no version").splitlines()[-1]
        raise NotRunError(f"--gunicorn = {python}, must be a Python with gunicorn and gunicorn-autotune: {last}")
    return lines[0]
