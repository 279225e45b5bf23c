"""Makes the runs that are planned and not yet made, one after the other, and keeps each as it ends."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.calibration.others import wait_for_quiet
from benchmarks.contest import kept
from benchmarks.contest.closed import NotMeasuredError
from benchmarks.contest.contenders import Contender, MissingError
from benchmarks.contest.host import Layout
from benchmarks.contest.jobs import (
    LOCUST,
    Job,
    behind_nginx,
    by_locust,
    contenders,
    oracle,
    sweep,
    sweep_counts,
)
from benchmarks.contest.kept import SWEEP_SEED, Key
from benchmarks.contest.progress import Progress
from benchmarks.contest.run import closed_run, one_run
from benchmarks.contest.workloads import FIRST_SEED, Workload
from benchmarks.demo_server import NotStartedError

TRIES = 3
"""Of a run that others spoilt, each time the contest is started; all are kept, and the last valid one counts."""
QUIET_CORES, QUIET_PATIENCE_SECONDS = 0.05, 60.0
"""Awaited before a spoilt run is tried again."""
MISHAPS = (NotStartedError, NotMeasuredError, OSError, ValueError, subprocess.SubprocessError)
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
    source: str = field(default_factory=kept.source)
    records: list[dict[str, Any]] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    """By contender, or by contender, workload and front: why."""
    failed: set[str] = field(default_factory=set)
    """Those of them that are installed and yet could not run."""
    tried: Counter[Key] = field(default_factory=Counter)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """That the server gets."""
        return len(self.layout.server_cores)


def planned(bench: Bench) -> list[Job]:
    """Every run, made or not; a workload's oracle once its sweep has been made."""
    made = kept.latest(bench.records)
    best = {one.name: best_static(bench, one, made) for one in bench.workloads}
    asked = (job for seed in bench.seeds for job in _of_seed(bench, seed, best))
    if bench.wanted:
        return [job for job in asked if job.contender.name in bench.wanted]
    return [*sweep(bench.workloads, bench.cores), *asked]


def _of_seed(bench: Bench, seed: int, best: Mapping[str, int | None]) -> Iterator[Job]:
    for workload in bench.workloads:
        if seed < FIRST_SEED + workload.seeds:
            found = contenders(workload, bench.cores, best[workload.name], seed)
            yield from (Job(workload, one, seed) for one in found)
    if not bench.quick:
        yield from behind_nginx(bench.workloads, seed)
        yield from by_locust(bench.workloads, bench.cores, seed)


def swept(bench: Bench, workload: Workload, made: Mapping[Key, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Figures of the valid runs of its sweep, by count."""
    runs = ((job, made.get(key(bench, job))) for job in sweep([workload], bench.cores))
    return {count_of(job): record["figures"] for job, record in runs if record is not None and record["valid"]}


def count_of(job: Job) -> int:
    """Workers of a static contender."""
    return int(job.contender.name.removeprefix("static-"))


def best_static(bench: Bench, workload: Workload, made: Mapping[Key, Mapping[str, Any]]) -> int | None:
    """The static oracle; None while the sweep is not all there."""
    found = swept(bench, workload, made)
    return oracle(workload, found) if len(found) == len(sweep_counts(workload, bench.cores)) else None


def key(bench: Bench, job: Job) -> Key:
    """Of the job's run."""
    more = "" if job.seed == SWEEP_SEED else bench.source
    digest = _digest(job.workload, job.contender, bench.layout, more + repr(job.fronted and job.fronted.pair))
    return Key(job.workload.name, job.contender.name, job.front, job.seed, digest)


@cache
def _digest(workload: Workload, contender: Contender, layout: Layout, more: str) -> str:
    return kept.digest(workload, contender, layout, more)


def pending(bench: Bench, jobs: Sequence[Job]) -> list[Job]:
    """Those of the jobs that are still to be made."""
    made = kept.latest(bench.records)
    found = []
    for job in jobs:
        one = key(bench, job)
        over = (one in made and made[one]["valid"]) or bench.tried[one] >= TRIES
        if not over and not {job.contender.name, place_of(job)} & bench.not_run.keys():
            found.append(job)
    return found


def run(bench: Bench, tell: Tell, deadline: float | None = None) -> None:
    """Until nothing is pending, or `deadline` on the monotonic clock; an interrupt costs the run that it cuts short."""
    bench.records = kept.read(bench.path)
    progress = Progress(tell)
    while jobs := pending(bench, everything := planned(bench)):
        if deadline is not None and time.monotonic() + jobs[0].seconds > deadline:
            tell(f"out of time with {len(jobs)} runs to go; the same command goes on here")
            return
        if bench.tried[key(bench, jobs[0])]:
            wait_for_quiet(QUIET_CORES, QUIET_PATIENCE_SECONDS)
        progress.show(len(everything) - len(jobs), len(everything), sum(job.seconds for job in jobs), jobs[0])
        perform(bench, jobs[0], progress)
    progress.end()


def place_of(job: Job) -> str:
    """Where a contender may fail to start though it runs elsewhere."""
    return " ".join(filter(None, (job.contender.name, job.workload.name, job.front)))


def perform(bench: Bench, job: Job, progress: Progress) -> None:
    """One try of one run; who cannot run is named and not asked again."""
    name, one = job.contender.name, key(bench, job)
    bench.tried[one] += 1
    try:
        if name not in bench.versions:
            bench.versions[name] = job.contender.prepare(progress.tell)
        found = made(bench, job)
    except MissingError as error:
        bench.not_run[place_of(job) if job.front else name] = str(error)
        progress.tell(f"{name} left out: {error}")
        return
    except MISHAPS as error:
        progress.tell(f"{place_of(job)}, try {bench.tried[one]}: {error}")
        if bench.tried[one] >= TRIES:
            bench.not_run[place_of(job)] = str(error).splitlines()[0]
            bench.failed.add(place_of(job))
        return
    if kept.source() != bench.source:
        raise SystemExit("contest: src/gunicorn_autotune has changed meanwhile; start again")
    record = {
        "workload": job.workload.name, "contender": name, "front": job.front, "seed": job.seed,
        "digest": one.digest, "version": bench.versions[name],
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **found,
    }  # fmt: skip
    kept.append(bench.path, record)
    bench.records.append(record)
    progress.told(job, found)


def made(bench: Bench, job: Job) -> dict[str, Any]:
    """By Locust or by the open loop."""
    if job.closed:
        return closed_run(job.contender, job.workload, job.seed, bench.layout)
    return one_run(job.contender, job.workload, job.seed, bench.layout, job.fronted)


def document(bench: Bench, command: str, machine: dict[str, str]) -> dict[str, Any]:
    """For results/contest.json: the runs that count, and of those that do not how many and why."""
    made = kept.latest(bench.records)
    keys = dict.fromkeys(key(bench, job) for job in planned(bench))
    counted = [made[one] for one in keys if one in made and one.seed != SWEEP_SEED]
    closed = [{"workload": one["workload"], "contender": one["contender"], "seed": one["seed"], **one["figures"]}
              for one in counted if one["front"] == LOCUST]  # fmt: skip
    spoilt = [_without(one, "digest", "series", "figures") for one in bench.records
              if not one["valid"] and kept.key_of(one) in keys]  # fmt: skip
    return {
        "machine": machine, "versions": {one["contender"]: one["version"] for one in counted}, "command": command,
        "source": bench.source,
        "layout": {"server_cores": list(bench.layout.server_cores),
                   "generator_cores": list(bench.layout.generator_cores), "groups": list(bench.layout.groups)},
        "taken": max((one["at"] for one in counted), default=""),
        "not_run": bench.not_run,
        "sweep": {one.name: told for one in bench.workloads if (told := _sweep(bench, one, made))},
        "runs": [_without(one, "digest", "version") for one in counted if one["front"] != LOCUST],
        "closed": closed, "spoilt": spoilt,
    }  # fmt: skip


def _sweep(bench: Bench, workload: Workload, made: Mapping[Key, Mapping[str, Any]]) -> dict[str, Any]:
    """The oracle and what it was chosen by; nothing before there is one."""
    best = best_static(bench, workload, made)
    names = ("late_50_share", "p95_seconds", "throughput")
    rows = [{"contender": f"static-{count}", **{name: figures[name] for name in names}}
            for count, figures in swept(bench, workload, made).items()]  # fmt: skip
    return {"best": f"static-{best}", "counts": rows} if best else {}


def _without(record: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}
