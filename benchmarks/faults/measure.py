"""One run of a load on a server: what users got, what the server counted, how many workers were up."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import Any

from benchmarks.faults.arithmetic import answered, differences, events_of, lowest_of, lowest_up, timeline
from benchmarks.faults.group import MemoryGroup
from benchmarks.faults.sender import Sender, seen_in
from benchmarks.faults.server import Running
from benchmarks.faults.watch import Looks, samples_in, watching
from benchmarks.micro.status import status

SETTLE_SECONDS = 2.0
"""After the load, for the last exits to be counted."""
STATUS_TRIES = 50
KILLED = re.compile(r"was sent SIGKILL")


def measured(running: Running, sender: Sender, group: MemoryGroup | None = None) -> dict[str, Any]:
    """Send everything; figures and the timeline."""
    port = running.server.metrics_port
    looks = Looks(port, running.server.pid, group=str(group.path) if group else "", v1=bool(group and group.v1))
    before = tally(port)
    with watching(looks, running.folder) as seen:
        requests = asyncio.run(sender.drive())
        ended = time.monotonic()
        time.sleep(SETTLE_SECONDS)
        samples = samples_in(seen.read_text())
    numbers = seen_in(running.folder / "seen")
    figures = answered(requests, numbers, sender.posts_every)
    figures |= counted(before, tally(port))
    figures |= ready_workers(running.events, samples, sender.began, ended)
    figures["killed_by_log"] = len(KILLED.findall(running.log))
    figures["arbiter_exit_code"] = running.server.process.poll()
    if group is not None:
        figures |= memory_use(group, samples)
    return figures | {"timeline": timeline(samples, sender.began, ended - sender.began)}


def tally(port: int) -> dict[str, dict[str, int]] | None:
    """What the arbiter has counted; None when the exporter does not answer."""
    for _ in range(STATUS_TRIES):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found = status(port)["tally"]
            return {"exits": dict(found["exits"]), "decisions": dict(found["decisions"])}
        time.sleep(0.1)
    return None


def counted(before: dict[str, dict[str, int]] | None, after: dict[str, dict[str, int]] | None) -> dict[str, Any]:
    """Exits by cause and decisions that changed the count, during the run; None where nobody could tell."""
    if before is None or after is None:
        return {"exits": None, "recycles": None, "resizes": None}
    exits = differences(before["exits"], after["exits"])
    decided = differences(before["decisions"], after["decisions"])
    return {
        "exits": exits,
        "recycles": sum(count for cause, count in exits.items() if cause.startswith("recycle_")),
        "resizes": {pair: count for pair, count in decided.items() if not pair.startswith("hold/")},
    }


def ready_workers(events: str, samples: list[dict[str, Any]], begin: float, end: float) -> dict[str, Any]:
    """The fewest ready workers by the hooks (exact), by /status.json (knows who drains), and the lower of both."""
    noted = lowest_up(events_of(events), begin, end)
    seen = [one["ready"] for one in samples if begin <= one["at"] <= end and one.get("ready") is not None]
    looked = min(seen, default=None)
    return {
        "lowest_ready": lowest_of(noted, looked),
        "lowest_ready_by_hooks": noted,
        "lowest_ready_by_status": looked,
        "mean_ready": round(sum(seen) / len(seen), 2) if seen else None,
        "looks": len(seen),
    }


def memory_use(group: MemoryGroup, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the group."""
    used = [one["memory_bytes"] for one in samples if one.get("memory_bytes") is not None]
    return {
        "oom_kills": group.oom_kills(),
        "peak_working_set_bytes": max(used, default=None),
        "peak_bytes": group.peak_bytes(),
    }
