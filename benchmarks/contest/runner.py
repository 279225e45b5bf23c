"""Makes the runs that are planned and not yet made, one after the other, and keeps each as it ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.contest import kept
from benchmarks.contest.closed import NotMeasuredError
from benchmarks.contest.contenders import Contender, MissingError
from benchmarks.contest.host import Layout
from benchmarks.contest.jobs import LOCUST, Job, behind_nginx, by_locust, contenders, oracle, sweep
from benchmarks.contest.kept import SWEEP_SEED, Key
from benchmarks.contest.progress import Progress
from benchmarks.contest.run import closed_run, one_run
from benchmarks.contest.workloads import Workload
from benchmarks.demo_server import NotStartedError

TRIES = 3
"""Of a run that others spoilt; all are kept and told, the first valid one counts."""
Tell = Callable[[str], None]


@dataclass
class Bench:
    """What is asked for, and what is there."""

    path: Path
    layout: Layout
    workloads: list[Workload]
    seeds: list[int]
    wanted: frozenset[str] = frozenset()
    """Names of contenders; empty: all. The sweep is left out when only some are wanted."""
    quick: bool = False
    """Neither nginx nor Locust."""
    records: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    """By contender, or by contender, workload and front: why."""

    @property
    def cores(self) -> int:
        """That the server gets."""
        return len(self.layout.server_cores)


def planned(bench: Bench) -> Iterator[Job]:
    """Every run, made or not; a workload's oracle once its sweep has been made."""
    if not bench.wanted:
        yield from sweep(bench.workloads, bench.cores)
    for seed in bench.seeds:
        for job in _of_seed(bench, seed):
            if not bench.wanted or job.contender.name in bench.wanted:
                yield job


def _of_seed(bench: Bench, seed: int) -> Iterator[Job]:
    for workload in bench.workloads:
        if seed <= workload.seeds:
            best = best_static(bench, workload)
            yield from (Job(workload, one, seed) for one in contenders(workload, bench.cores, best, seed))
    if not bench.quick:
        yield from behind_nginx(bench.workloads, seed)
        yield from by_locust(bench.workloads, bench.cores, seed)


def best_static(bench: Bench, workload: Workload) -> int | None:
    """The static oracle; None while runs of its sweep are missing."""
    made = kept.latest(bench.records)
    found = {}
    for job in sweep([workload], bench.cores):
        record = made.get(key(bench, job))
        if record is None:
            return None
        found[int(job.contender.name.removeprefix("static-"))] = record["figures"]
    return oracle(found)


def key(bench: Bench, job: Job) -> Key:
    """Of the job's run."""
    return Key(job.workload.name, job.contender.name, job.front, job.seed,
               _digest(job.workload, job.contender, bench.layout))  # fmt: skip


@cache
def _digest(workload: Workload, contender: Contender, layout: Layout) -> str:
    return kept.digest(workload, contender, layout)


def pending(bench: Bench) -> list[Job]:
    """What is still to be made."""
    made, tried = kept.latest(bench.records), Counter(kept.key_of(one) for one in bench.records)
    found = []
    for job in planned(bench):
        one = key(bench, job)
        record = made.get(one)
        over = record is not None and (record["valid"] or tried[one] >= TRIES)
        names = (job.contender.name, place_of(job))
        if not over and not any(name in bench.not_run for name in names):
            found.append(job)
    return found


def run(bench: Bench, tell: Tell, deadline: float | None = None) -> None:
    """Until nothing is pending, or `deadline` on the monotonic clock; an interrupt costs the run that it cuts short."""
    bench.records = kept.read(bench.path)
    progress = Progress(tell)
    while jobs := pending(bench):
        if deadline is not None and time.monotonic() + jobs[0].seconds > deadline:
            tell(f"out of time with {len(jobs)} runs to go; the same command goes on here")
            return
        total = sum(1 for _ in planned(bench))
        progress.show(total - len(jobs), total, sum(job.seconds for job in jobs), jobs[0])
        perform(bench, jobs[0], progress)
    progress.end()


def place_of(job: Job) -> str:
    """Where a contender may fail to start though it runs elsewhere."""
    return " ".join(filter(None, (job.contender.name, job.workload.name, job.front)))


def perform(bench: Bench, job: Job, progress: Progress) -> None:
    """One try of one run; what could not start is named and not asked again."""
    name = job.contender.name
    try:
        if name not in bench.versions:
            bench.versions[name] = job.contender.prepare(progress.tell)
        if job.closed:
            found = closed_run(job.contender, job.workload, job.seed, bench.layout)
        else:
            found = one_run(job.contender, job.workload, job.seed, bench.layout, job.fronted)
    except MissingError as error:
        bench.not_run[place_of(job) if job.front else name] = str(error)
        progress.tell(f"{name} left out: {error}")
        return
    except (NotStartedError, NotMeasuredError) as error:
        bench.not_run[place_of(job)] = str(error)
        progress.tell(f"{name} left out of {job.workload.name}: {error}")
        return
    record = {
        "workload": job.workload.name, "contender": name, "front": job.front, "seed": job.seed,
        "digest": key(bench, job).digest, "at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **found,
    }  # fmt: skip
    kept.append(bench.path, record)
    bench.records.append(record)
    progress.told(job, found)


def document(bench: Bench, command: str, machine: dict[str, str]) -> dict[str, Any]:
    """For results/contest.json: the runs that count, and of those that do not how many and why."""
    made = kept.latest(bench.records)
    keys = {key(bench, job): job for job in planned(bench)}
    counted = [made[one] for one in keys if one in made and one.seed != SWEEP_SEED]
    runs = [_without(one, "digest", "at") for one in counted if one["front"] != LOCUST]
    closed = [{"workload": one["workload"], "contender": one["contender"], "seed": one["seed"], **one["figures"]}
              for one in counted if one["front"] == LOCUST]  # fmt: skip
    found = {one.name: best_static(bench, one) for one in bench.workloads}
    tables = {one.name: _sweep_table(bench, one, made) for one in bench.workloads}
    spoilt = [_without(one, "digest", "series", "figures") for one in bench.records
              if not one["valid"] and kept.key_of(one) in keys]  # fmt: skip
    return {
        "machine": machine, "versions": bench.versions, "command": command,
        "layout": {"server_cores": list(bench.layout.server_cores),
                   "generator_cores": list(bench.layout.generator_cores)},
        "taken": max((one["at"] for one in bench.records), default=""),
        "not_run": bench.not_run,
        "sweep": {name: {"best": f"static-{best}", "counts": tables[name]} for name, best in found.items() if best},
        "runs": runs, "closed": closed, "spoilt": spoilt,
    }  # fmt: skip


def _sweep_table(bench: Bench, workload: Workload, made: dict[Key, Any]) -> list[dict[str, Any]]:
    found = []
    for job in sweep([workload], bench.cores):
        record = made.get(key(bench, job))
        if record:
            figures = {name: record["figures"][name] for name in ("late_50_share", "p95_seconds", "throughput")}
            found.append({"contender": job.contender.name, **figures})
    return found


def _without(record: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


__all__ = ["SWEEP_SEED", "Bench", "best_static", "document", "pending", "planned", "run"]
