"""Workers are replaced under load."""

from __future__ import annotations

from typing import Any

from benchmarks.faults.options import Tell
from benchmarks.nginx import changes
from benchmarks.nginx.options import Options


def seconds(options: Options) -> float:
    """What the cell takes."""
    return changes.seconds(changes.RECYCLE, options)


def run(options: Options, tell: Tell) -> dict[str, Any]:
    """Every combination in turn."""
    return changes.run(changes.RECYCLE, options, tell)
