"""A process beside the load that looks at the server and writes down what it sees, one JSON line a look.

Apart from the generator's process, so that looking does not make the generator late.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.demo_server import started, stop
from benchmarks.faults.group import MemoryGroup
from benchmarks.faults.options import ROOT
from benchmarks.micro import proc
from benchmarks.micro.status import get, status

UP = ("idle", "busy")


@dataclass(frozen=True)
class Looks:
    """What is looked at, and how often, in seconds; 0 is never."""

    metrics_port: int
    pid: int
    """Of the arbiter."""
    status_every: float = 0.1
    group: str = ""
    v1: bool = False
    scrape_every: float = 0.0
    processes_every: float = 0.0
    record: str = ""
    """The flight record whose size is looked at with the processes."""
    reload_every: float = 0.0
    """HUP to the arbiter."""


@contextmanager
def watching(looks: Looks, folder: Path) -> Iterator[Path]:
    """The file that fills meanwhile; its writer is ended on the way out."""
    seen = folder / "watch.jsonl"
    command = [sys.executable, "-m", "benchmarks.faults.watch", json.dumps(asdict(looks)), str(seen)]
    with started(command, ROOT, folder / "watch.txt", 0) as watcher:
        try:
            yield seen
        finally:
            stop(watcher.process)


def samples_in(text: str) -> list[dict[str, Any]]:
    """Every whole line; a last one cut short is left out."""
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            sample = json.loads(line)
            if isinstance(sample, dict) and "at" in sample:
                found.append(sample)
    return found


def look(looks: Looks) -> dict[str, Any]:
    """Ready workers and the group's use; what cannot be read is None."""
    sample: dict[str, Any] = {"at": time.monotonic(), "ready": None, "workers": None}
    with contextlib.suppress(OSError, ValueError, KeyError):
        workers = status(looks.metrics_port)["workers"]
        sample |= {"ready": sum(one["state"] in UP for one in workers), "workers": len(workers)}
    if looks.group:
        sample["memory_bytes"] = MemoryGroup(Path(looks.group), looks.v1).working_set_bytes()
    return sample


def processes(looks: Looks) -> dict[str, Any]:
    """What could grow in arbiter and exporter, and beside them."""
    exporter = exporter_of(looks.pid)
    sample: dict[str, Any] = {"at": time.monotonic(), "children": children_of(looks.pid)}
    for name, pid in (("arbiter", looks.pid), ("exporter", exporter)):
        sample |= {f"{name}_{what}": value for what, value in sizes(pid).items()}
    shared = os.statvfs("/dev/shm")
    sample["dev_shm_bytes"] = (shared.f_blocks - shared.f_bfree) * shared.f_frsize
    if looks.record:
        kept = (Path(looks.record), Path(looks.record + ".1"))
        sample["flight_record_bytes"] = sum(one.stat().st_size for one in kept if one.exists())
    return sample


def sizes(pid: int | None) -> dict[str, int | None]:
    """Open files, threads, RSS and USS of a process; None for one that is not there."""
    try:
        folder = Path(f"/proc/{pid}")
        words = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
        return {
            "fds": len(list((folder / "fd").iterdir())),
            "threads": int(words["Threads"]),
            "rss_bytes": int(words["VmRSS"].split()[0]) * 1024,
            "uss_bytes": proc.memory_bytes(pid or 0)["uss"],
        }
    except (OSError, KeyError, ValueError):
        return dict.fromkeys(("fds", "threads", "rss_bytes", "uss_bytes"))


def children_of(pid: int) -> int:
    """How many processes it has started that live."""
    try:
        return len(proc.children(pid))
    except OSError:
        return 0


def exporter_of(pid: int) -> int | None:
    """Pid of the exporter of the arbiter `pid`."""
    return next(iter(proc.exporters(pid)), None)


def main(looks: Looks, out: Path) -> None:
    """Look until the end is told."""
    due = {"status": looks.status_every, "scrape": looks.scrape_every, "processes": looks.processes_every}
    due |= {"reload": looks.reload_every}
    every = {name: seconds for name, seconds in due.items() if seconds}
    began = time.monotonic()
    following = {name: began + (0.0 if name != "reload" else seconds) for name, seconds in every.items()}
    with out.open("w", buffering=1) as file:
        while True:
            name = min(following, key=lambda one: following[one])
            time.sleep(max(0.0, following[name] - time.monotonic()))
            # Never more often than told, also after a stall.
            following[name] = max(following[name] + every[name], time.monotonic())
            sample = one_look(name, looks)
            if sample is not None:
                file.write(json.dumps(sample) + "\n")


def one_look(name: str, looks: Looks) -> dict[str, Any] | None:
    """What is due; a line if there is something to write."""
    if name == "status":
        return look(looks)
    if name == "processes":
        return processes(looks)
    if name == "reload":
        os.kill(looks.pid, signal.SIGHUP)
        return {"at": time.monotonic(), "reload": True}
    try:
        return {"at": time.monotonic(), "scraped_bytes": len(get(looks.metrics_port, "/metrics"))}
    except OSError as error:
        return {"at": time.monotonic(), "scrape_failed": str(error)}


if __name__ == "__main__":
    main(Looks(**json.loads(sys.argv[1])), Path(sys.argv[2]))
