"""Runs of peers kept between calls: they do not change while the law is tuned, only ours is run again.

One file in benchmarks/out for each state of the simulator, the peers and the workloads; `--take` never reads it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from benchmarks.simulation.peers import OURS
from benchmarks.simulation.run import Played, from_plain, plain

from gunicorn_autotune import testing
from gunicorn_autotune.law import staffing

HERE = Path(__file__).parent
OUT = HERE.parent / "out"


class Kept:
    """What peers made of a workload, by its name and seed."""

    def __init__(self, folder: Path = OUT) -> None:
        self._path = folder / f"simulation-peers-{digest()}.json"
        try:
            self._found: dict[str, Any] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            self._found = {}

    def get(self, name: str, seed: int) -> Played | None:
        """The peers' rows, None when the workload is new."""
        found = self._found.get(f"{name} {seed}")
        return None if found is None else from_plain(found)

    def put(self, played: Played) -> None:
        """Keep all but ours, beside what was kept of others."""
        document = plain(played)
        document["rows"].pop(OURS, None)
        before = self._found.get(f"{played.name} {played.seed}", {})
        rows = before.get("rows", {}) | document["rows"]
        self._found[f"{played.name} {played.seed}"] = before | document | {"rows": rows}

    def save(self) -> None:
        """Write the file; the ones of other states are forgotten."""
        self._path.parent.mkdir(exist_ok=True)
        for old in self._path.parent.glob("simulation-peers-*.json"):
            if old != self._path:
                old.unlink()
        self._path.write_text(json.dumps(self._found))


def digest() -> str:
    """Of every file a peer's run depends on."""
    simulator = Path(testing.__file__).parent
    sources = [HERE / "workload.py", HERE / "workloads.py", HERE / "drawn.py", HERE / "run.py", Path(staffing.__file__)]
    sources += sorted((HERE / "peers").glob("*.py")) + sorted(simulator.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
