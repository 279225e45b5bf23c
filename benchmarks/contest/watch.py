"""A process beside the load that counts a server's workers and adds up its memory, one JSON line a look.

Apart from the generator's process, so that looking does not make the generator late. It sees every contender from
outside and in the same way: nobody's own account of itself is believed.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from benchmarks.demo_server import NotStartedError, Server, started
from benchmarks.faults.options import ROOT
from benchmarks.micro import proc
from benchmarks.micro.status import status

LOOK_SECONDS = 0.25
STEADY_LOOKS, STEADY_PATIENCE_SECONDS = 4, 120.0
MEMORY_EVERY = 4
"""Looks: adding up PSS makes the kernel walk every page of the server."""
NICE = 10


@dataclass(frozen=True)
class Looks:
    """What is looked at."""

    pid: int
    """Of the first process, which is no worker."""
    group: str
    """The file with the pids of the server's cgroup; empty: its descendants."""
    not_workers: tuple[str, ...]
    """Words in the command lines of processes that serve no request."""
    metrics_port: int = 0
    """Of autotune's exporter: what it calls the bottleneck is asked with the memory. 0: nobody is asked."""


@contextmanager
def watching(looks: Looks, folder: Path) -> Iterator[tuple[Server, Path]]:
    """The watcher, and the file that it fills meanwhile."""
    seen = folder / "looks.jsonl"
    told = [json.dumps(asdict(looks)), str(seen)]
    command = ["nice", "-n", str(NICE), sys.executable, "-m", "benchmarks.contest.watch", *told]
    with started(command, ROOT, folder / "watch.txt", 0) as watcher:
        yield watcher, seen


def looks_in(text: str) -> list[dict[str, Any]]:
    """Every whole line; a last one cut short is left out."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def wait_until_steady(watcher: Server, seen: Path) -> None:
    """Return when the count of workers has been the same for STEADY_LOOKS, and is more than none."""
    deadline = time.monotonic() + STEADY_PATIENCE_SECONDS
    while watcher.process.poll() is None and time.monotonic() < deadline:
        counts = [one["workers"] for one in looks_in(seen.read_text())[-STEADY_LOOKS:]] if seen.exists() else []
        if len(counts) == STEADY_LOOKS and len(set(counts)) == 1 and counts[0]:
            return
        time.sleep(LOOK_SECONDS / 5)
    raise NotStartedError("the count of workers does not come to rest")


def pids_of(looks: Looks) -> list[int]:
    """Of the whole server."""
    if looks.group:
        return [int(pid) for pid in Path(looks.group).read_text().split()]
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(looks.pid).children(recursive=True)
        return [looks.pid, *(child.pid for child in children), *proc.exporters(looks.pid)]
    return []


def is_worker(command_line: str, not_workers: Sequence[str]) -> bool:
    """Whether a process with that command line serves requests; one that has ended has none."""
    return bool(command_line) and not any(word in command_line for word in not_workers)


def look(looks: Looks, with_memory: bool) -> dict[str, Any]:
    """Workers now, and the PSS of all processes where it is told to."""
    workers, pss_bytes = 0, 0
    for pid in pids_of(looks):
        with contextlib.suppress(OSError, KeyError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            workers += pid != looks.pid and is_worker(line, looks.not_workers)
            pss_bytes += proc.memory_bytes(pid)["pss"] if with_memory else 0
    sample = {"at": time.monotonic(), "workers": workers} | ({"pss_bytes": pss_bytes} if pss_bytes else {})
    if with_memory and looks.metrics_port:
        with contextlib.suppress(OSError, ValueError, KeyError):
            sample["bottleneck"] = status(looks.metrics_port)["bottleneck"]
    return sample


def main(looks: Looks, out: Path) -> None:
    """Look until the end is told."""
    following, number = time.monotonic(), 0
    with out.open("w", buffering=1) as file:
        while True:
            file.write(json.dumps(look(looks, number % MEMORY_EVERY == 0)) + "\n")
            number += 1
            # Never more often than told, also after a stall.
            following = max(following + LOOK_SECONDS, time.monotonic())
            time.sleep(max(0.0, following - time.monotonic()))


if __name__ == "__main__":
    main(Looks(**json.loads(sys.argv[1])), Path(sys.argv[2]))
