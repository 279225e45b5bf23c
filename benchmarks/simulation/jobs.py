"""Many workloads on several processes, with the time left told on stderr."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from benchmarks.simulation.kept import Kept
from benchmarks.simulation.run import Played, play
from benchmarks.simulation.workload import Workload

TELL_SECONDS = 5.0
Task = tuple[int, Workload, tuple[str, ...], "Played | None"]


def play_all(workloads: Sequence[Workload], names: Sequence[str], jobs: int, kept: Kept | None) -> list[Played]:
    """Every workload under every controller, in the order given; peers' runs that are kept are not repeated."""
    tasks = [(number, one, tuple(names), _kept(kept, one, names)) for number, one in enumerate(workloads)]
    done: dict[int, Played] = {}
    progress = Progress(len(tasks))
    for number, played in _results(tasks, jobs):
        done[number] = played
        progress.tell(len(done))
        if kept is not None:
            kept.put(played)
    if kept is not None:
        kept.save()
    return [done[number] for number in range(len(tasks))]


def _kept(kept: Kept | None, workload: Workload, names: Sequence[str]) -> Played | None:
    return None if kept is None else kept.get(workload.name, workload.seed)


def _results(tasks: Iterable[Task], jobs: int) -> Iterator[tuple[int, Played]]:
    if jobs <= 1:
        yield from map(_one, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_one, tasks)


def _one(task: Task) -> tuple[int, Played]:
    number, workload, names, before = task
    known = before.rows if before is not None else {}
    fresh = play(workload, [name for name in names if name not in known])
    found = known | fresh.rows
    rows = {name: found[name] for name in names}
    if before is None or fresh.best_throughput is not None:
        return number, replace(fresh, rows=rows)
    return number, replace(before, rows=rows)


class Progress:
    """`12/120, 40 s, about 6 min left`, every 5 s."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = self._told = time.monotonic()

    def tell(self, done: int) -> None:
        """One more is done."""
        now = time.monotonic()
        if now - self._told < TELL_SECONDS and done < self._total:
            return
        self._told, passed = now, now - self._began
        left = passed / done * (self._total - done)
        tell(f"{done}/{self._total}, {passed:.0f} s, about {_span(left)} left")


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"simulation: {line}", file=sys.stderr, flush=True)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
