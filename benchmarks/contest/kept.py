"""What has been run: one line of JSON a run in benchmarks/out/, so that a run that was cut short goes on."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gunicorn
from benchmarks.contest.contenders import APPS, Contender, Place
from benchmarks.contest.figures import GOOD_SECONDS, LATE_SECONDS
from benchmarks.contest.host import Layout
from benchmarks.contest.run import PATIENCE_SECONDS
from benchmarks.contest.workloads import Workload
from benchmarks.faults.options import ROOT

OUT = ROOT / "benchmarks" / "out"
SOURCE = ROOT / "src" / "gunicorn_autotune"
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


def digest(workload: Workload, contender: Contender, layout: Layout, more: str = "") -> str:
    """Of the load, the app, the cores and groups, the contender's command and files, and what runs them all."""
    method = repr((PATIENCE_SECONDS, LATE_SECONDS, GOOD_SECONDS))
    told = settings(workload, contender, layout)
    text = [repr(workload), contender.name, repr(layout), told, more, gunicorn.__version__, sys.version, method]
    return _short([*(one.encode() for one in text), *(one.read_bytes() for one in sorted(APPS.glob("*.py")))])


def settings(workload: Workload, contender: Contender, layout: Layout) -> str:
    """The command and the files it needs, wherever they lie."""
    with tempfile.TemporaryDirectory() as name:
        place = Place(1, 2, Path(name), cores=len(layout.server_cores))
        told = [*contender.command(workload, place), *(one.read_text() for one in sorted(Path(name).iterdir()))]
        return "\0".join(told).replace(name, "FOLDER")


def source() -> str:
    """Of what of ours is in a server: rivals that ran beside another one are made again too, to stand beside it."""
    rooms = ("law", "model", "runtime", "scoreboard", "sensors", "exporter")
    return _short([one.read_bytes() for room in rooms for one in sorted((SOURCE / room).rglob("*.py"))])


def _short(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def key_of(record: Mapping[str, Any]) -> Key:
    """Of a run that was kept."""
    return Key(record["workload"], record["contender"], record["front"], record["seed"], record["digest"])


def read(path: Path) -> list[dict[str, Any]]:
    """Every run; a line that was cut short as it was written is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def append(path: Path, record: Mapping[str, Any]) -> None:
    """As one line, whole; also after one that was cut short."""
    path.parent.mkdir(exist_ok=True)
    torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * torn + json.dumps(record, separators=(",", ":")) + "\n")


def latest(records: Iterable[Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    """Of each key the run that counts: the last valid one, else the last."""
    found: dict[Key, Mapping[str, Any]] = {}
    for record in records:
        before = found.get(key_of(record))
        if before is None or record["valid"] or not before["valid"]:
            found[key_of(record)] = record
    return found
