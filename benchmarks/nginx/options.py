"""What the command line may change, and what a run is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.kept import numbers
from benchmarks.faults.options import ROOT, NotRunError, gunicorn_of

MATRIX = ("27.0.1", "26.2.0", "25.3.0", "23.0.0", "22.0.0")


@dataclass(frozen=True)
class Options:
    """On which Gunicorns, and whether it is only tried."""

    pythons: Mapping[str, str]
    """Interpreter by version of its Gunicorn, the newest first."""
    missing: tuple[str, ...] = ()
    """Versions of the matrix that are not installed."""
    quick: bool = False
    """About a tenth of everything; the figures are worth little."""

    @property
    def newest(self) -> str:
        """The version that the goals are about."""
        return max(self.pythons, key=numbers)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.pythons[self.newest]

    @property
    def older(self) -> list[str]:
        """The others, the newest of them first."""
        return sorted(set(self.pythons) - {self.newest}, key=numbers, reverse=True)


def installed(root: Path = ROOT) -> tuple[dict[str, str], tuple[str, ...]]:
    """(interpreter by version, versions without one) of the matrix; NotRunError when there is none at all.

    `make` puts them into .venv-gunicorn-VERSION. Not resolved, as a venv's Python is a link.
    """
    wanted = {version: root / f".venv-gunicorn-{version}" / "bin" / "python" for version in MATRIX}
    found = {version: str(path) for version, path in wanted.items() if path.exists()}
    if not found:
        raise NotRunError(f"no .venv-gunicorn-VERSION in {root} (`make .venv-gunicorn-{MATRIX[0]}/.ready`)")
    for version, python in found.items():
        if (told := gunicorn_of(python)) != version:
            raise NotRunError(f"{python} has gunicorn {told}, must be {version}")
    return found, tuple(set(wanted) - set(found))
