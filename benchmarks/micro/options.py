"""What the command line may change, and the shape of a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "out"
APPS = Path(__file__).parent / "apps"

Tell = Callable[[str], None]
"""Takes one line of progress."""


@dataclass(frozen=True)
class Options:
    """How thorough to be."""

    repeats: int = 3
    """Of the step in load, for each server."""
    quick: bool = False
    """As little as runs through every line; the figures are worth nothing."""

    def some(self, thorough: int, quick: int) -> int:
        """`thorough`, or `quick` when that was asked for."""
        return quick if self.quick else thorough
