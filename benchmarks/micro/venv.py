"""Virtual environments of their own for other servers, made once under benchmarks/out/."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BUILD_SECONDS = 600


class NotBuiltError(RuntimeError):
    """It could not be built here; the message is the last that pip said."""


def make(home: Path, requirements: Sequence[str]) -> None:
    """A virtual environment of this Python at `home` with the requirements, from PyPI; NotBuiltError."""
    home.parent.mkdir(parents=True, exist_ok=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(home)], [*pip, *requirements]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotBuiltError(str(error)) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
            raise NotBuiltError(lines[-1].strip() if lines else f"exit code {done.returncode}")
