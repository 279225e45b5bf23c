"""benchmarks/results/faults.json: by cell and version of Gunicorn, the newer run of each kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.faults.options import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "faults.json"


def joined(before: dict[str, Any], cell: str, version: str, part: dict[str, Any]) -> dict[str, Any]:
    """`before` with that part; a cell that could not run never takes the place of one that did."""
    cells = before.get("cells", {})
    earlier = cells.get(cell, {}).get(version)
    if "not_run" in part and earlier is not None and "not_run" not in earlier:
        return before
    return before | {"cells": cells | {cell: cells.get(cell, {}) | {version: part}}}


def read(path: Path = RESULTS) -> dict[str, Any]:
    """What is there; nothing when there is no such file or it is no JSON."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {"cells": {}}
    return found if isinstance(found, dict) else {"cells": {}}


def write(document: dict[str, Any], path: Path = RESULTS) -> None:
    """One line a key, so that a change can be read; whole or not at all."""
    write_whole(path, json.dumps(document, separators=(",", ":")).replace(',"', ',\n"') + "\n")


def write_whole(path: Path, text: str) -> None:
    """The text in the place of the file, or the file as it was."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def newest(versions: dict[str, Any]) -> str:
    """The highest version that ran; one that did not, when none has."""
    ran = [version for version, part in versions.items() if "not_run" not in part]
    return max(ran or versions, key=numbers)


def numbers(version: str) -> tuple[int, ...]:
    """`27.0.1` as numbers; words in it count as 0."""
    return tuple(int(word) if word.isdigit() else 0 for word in version.split("."))
