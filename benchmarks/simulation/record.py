"""The results as a document: where, when, how, and the figures of every run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.micro import machine
from benchmarks.simulation.run import FIELDS, Played, from_plain, plain

from gunicorn_autotune import law, model

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "simulation.json"
CALIBRATION = RESULTS.with_name("calibration.json")
NAMED = "named"
_NOT_OURS = ("wrk", "load_average", "flask", "prometheus-client", "gunicorn")


def document(parts: Mapping[str, Sequence[Played]], command: str, seconds: float, jobs: int) -> dict[str, Any]:
    """Everything the page is rendered from."""
    return {
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {name: text for name, text in machine.describe().items() if name not in _NOT_OURS},
        "law": law_digest(),
        "command": command,
        "seconds": round(seconds),
        "jobs": jobs,
        "fields": FIELDS,
        "parts": {name: [plain(one) for one in plays] for name, plays in parts.items()},
    }


def parts_of(found: Mapping[str, Any]) -> dict[str, list[Played]]:
    """The runs of a document; its fields must be the ones of today."""
    if list(found["fields"]) != list(FIELDS):
        raise ValueError(f"fields = {found['fields']}, must be {list(FIELDS)}: run it again")
    return {name: [from_plain(one) for one in plays] for name, plays in found["parts"].items()}


def law_digest() -> str:
    """Which law was measured: of every source file of the law and the model."""
    folders = [Path(module.__file__ or "").parent for module in (law, model)]
    sources = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def dump(found: Mapping[str, Any]) -> str:
    """JSON with one workload a line."""
    head = {key: value for key, value in found.items() if key != "parts"}
    parts = [
        f'  "{name}": [\n' + ",\n".join("   " + json.dumps(one) for one in plays) + "\n  ]"
        for name, plays in found["parts"].items()
    ]
    return json.dumps(head, indent=1)[:-2] + ',\n "parts": {\n' + ",\n".join(parts) + "\n }\n}\n"


def load() -> dict[str, Any]:
    """The results last taken."""
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


def calibration() -> dict[str, Any] | None:
    """How far the simulator is from real runs, as last taken; None when it never was."""
    if not CALIBRATION.exists():
        return None
    found: dict[str, Any] = json.loads(CALIBRATION.read_text())
    return found
