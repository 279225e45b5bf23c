"""benchmarks/results/nginx.json: of each cell the newer run, but never one worth less in the place of a better one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.faults import kept
from benchmarks.faults.options import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "nginx.json"


def joined(before: dict[str, Any], cell: str, part: dict[str, Any]) -> dict[str, Any]:
    """`before` with that part, unless that would lose a better one."""
    cells = before.get("cells", {})
    if cell in cells and worth(part) < worth(cells[cell]):
        return before
    return before | {"cells": cells | {cell: part}}


def worth(part: dict[str, Any]) -> int:
    """0 for one that did not run, 1 for a short one, 2 for a whole one."""
    return 0 if "not_run" in part else 1 if part.get("quick") else 2


def read(path: Path = RESULTS) -> dict[str, Any]:
    """What is there; nothing when there is no such file or it is no JSON."""
    return kept.read(path)


def write(document: dict[str, Any], path: Path = RESULTS) -> None:
    """Whole or not at all."""
    kept.write(document, path)
