"""What has been run: one line of JSON a run in benchmarks/out/, so that a run that was cut short goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contest.contenders import ADAPTIVE, APPS, Contender
from benchmarks.contest.host import Layout
from benchmarks.contest.workloads import Workload
from benchmarks.faults.options import ROOT

OUT = ROOT / "benchmarks" / "out"
RESULTS = ROOT / "benchmarks" / "results" / "contest.json"
SWEEP_SEED = 0
"""Of the runs that choose the static oracle: no verdict counts it."""


@dataclass(frozen=True)
class Key:
    """What makes two runs the same; `digest` is of all that was measured, so a change makes old runs foreign."""

    workload: str
    contender: str
    front: str
    seed: int
    digest: str


def digest(workload: Workload, contender: Contender, layout: Layout) -> str:
    """Of the load, the app, the cores, how the contender is set; of autotune's own source where it has a part."""
    text = [repr(workload), contender.name, contender.title, repr(layout)]
    files = sorted(APPS.glob("*.py"))
    if contender.name.startswith(ADAPTIVE):
        files += sorted((ROOT / "src").rglob("*.py"))
    return hashlib.sha256(
        b"\0".join([*(one.encode() for one in text), *(one.read_bytes() for one in files)])
    ).hexdigest()[:12]


def key_of(record: Mapping[str, Any]) -> Key:
    """Of a run that was kept."""
    return Key(record["workload"], record["contender"], record["front"], record["seed"], record["digest"])


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line; one that was cut short as it was written is left out."""
    found = []
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        if line.endswith("\n"):
            found.append(json.loads(line))
    return found


def append(path: Path, record: Mapping[str, Any]) -> None:
    """As one line, whole."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record, separators=(",", ":")) + "\n")


def latest(records: Iterable[Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    """Of each key the run that counts: the last valid one, else the last."""
    found: dict[Key, Mapping[str, Any]] = {}
    for record in records:
        before = found.get(key_of(record))
        if before is None or record["valid"] or not before["valid"]:
            found[key_of(record)] = record
    return found
