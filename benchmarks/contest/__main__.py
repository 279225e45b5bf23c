"""python -m benchmarks.contest [--quick] [--workloads io,step] [--seeds 1-10] [--minutes 60] [--take] [--page]."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.contest import kept, runner
from benchmarks.contest.contenders import ADAPTIVE, GUNICORNS, THREADED, UWSGI, rule_of_thumb, static_max
from benchmarks.contest.fronted import FRONTED
from benchmarks.contest.host import here
from benchmarks.contest.jobs import sweep_counts
from benchmarks.contest.peers import PEERS
from benchmarks.contest.report import report
from benchmarks.contest.runner import Bench
from benchmarks.contest.workloads import FIRST_SEED, WORKLOADS, Workload, shortened
from benchmarks.faults.kept import write_whole
from benchmarks.micro import machine

QUICK = ("step", "io", "cpu", "pool", "leak")
SEEDS = range(FIRST_SEED, FIRST_SEED + 10)
COMMAND = "python -m benchmarks.contest --take"
ALL_SEEDS = f"{SEEDS[0]}-{SEEDS[-1]}"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.contest",
        description="Autotune at its defaults against static tuning and against its peers, on real servers of this "
        "host. Load on loopback only, an open loop.",
        epilog="Goes on where an earlier run was cut short (benchmarks/out/). Exit code 0 whatever the figures, 1 when "
        "something could not run, 2 for a bad argument, 130 when interrupted: what had ended is kept.",
    )
    line.add_argument("--workloads", default="", metavar="NAME[,...]", help=f"of {', '.join(WORKLOADS)} (all)")
    line.add_argument("--contenders", default="", metavar="NAME[,...]", help="only these, without a sweep (all)")
    line.add_argument("--seeds", default=ALL_SEEDS, metavar="FIRST-LAST", help=f"(default: {ALL_SEEDS})")
    line.add_argument("--minutes", type=float, metavar="N", help="begin no run that would end later")
    line.add_argument("--quick", action="store_true", help="ten minutes: few, short runs with one seed")
    line.add_argument("--plan", action="store_true", help="say what would run and how long it takes; run nothing")
    line.add_argument("--take", action="store_true", help="keep as the project's results, write docs/benchmarks.md")
    line.add_argument("--page", action="store_true", help="write docs/benchmarks.md from what was taken; run nothing")
    line.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan, run, print; with --take keep."""
    line = parser()
    told = line.parse_args(arguments)
    if told.quick and told.take:
        line.error("--take = on, must not go with --quick: such figures are worth little")
    if told.page:
        from benchmarks.contest import page  # needs matplotlib, the rest does not

        page.write()
        return 0
    bench = asked(told, line)
    if told.plan:
        return plan(bench)
    return run(bench, told)


def run(bench: Bench, told: argparse.Namespace) -> int:
    """The exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are ended on the way out
    host = machine.describe()  # all its cores, before this process has but one of them
    os.sched_setaffinity(0, bench.layout.generator_cores)
    deadline = time.monotonic() + 60 * told.minutes if told.minutes else None
    code = 0
    try:
        runner.run(bench, tell, deadline)
    except KeyboardInterrupt:
        tell("interrupted; the same command goes on here")
        code = 130
    everything = replace(bench, workloads=list(WORKLOADS.values()), seeds=list(SEEDS), wanted=frozenset())
    found = runner.document(bench if bench.quick else everything, COMMAND, host)
    if told.take and not code:
        taken(found)
    print(json.dumps(found, indent=1) if told.json else report(found))
    return code or int(bool(bench.failed))


def asked(told: argparse.Namespace, line: argparse.ArgumentParser) -> Bench:
    """What is wanted, if it makes sense; else a line about it, and the end."""
    names = told.workloads.split(",") if told.workloads else list(QUICK if told.quick else WORKLOADS)
    if unknown := [name for name in names if name not in WORKLOADS]:
        line.error(f"--workloads = {','.join(unknown)}, must be of {', '.join(WORKLOADS)}")
    first, _, last = told.seeds.partition("-")
    numbers = [int(one) for one in (first, last or first) if one.isdigit()]
    if len(numbers) != 2 or numbers != sorted(numbers) or not set(numbers) <= set(SEEDS):
        line.error(f"--seeds = {told.seeds}, must be FIRST-LAST within {ALL_SEEDS}")
    if told.minutes is not None and not told.minutes > 0:
        line.error(f"--minutes = {told.minutes:g}, must be more than 0")
    workloads = [WORKLOADS[name] for name in names]
    seeds = list(range(numbers[0], numbers[1] + 1))
    cores = here()
    known = all_names(workloads, len(cores.server_cores))
    wanted = frozenset(told.contenders.split(",") if told.contenders else ())
    if strangers := sorted(wanted - known):
        line.error(f"--contenders = {','.join(strangers)}, must be of {', '.join(sorted(known))}")
    if told.quick:
        wanted = wanted or quick_names(workloads, len(cores.server_cores))
        return Bench(
            kept.OUT / "contest-quick.jsonl", cores, [shortened(one) for one in workloads], [FIRST_SEED], wanted, True
        )
    return Bench(kept.OUT / "contest.jsonl", cores, workloads, seeds, wanted)


def all_names(workloads: Sequence[Workload], cores: int) -> set[str]:
    """Of everybody who can be asked for."""
    counts = {count for one in workloads for count in (*sweep_counts(one, cores), rule_of_thumb(cores))}
    others = (*GUNICORNS, *PEERS, *(one.contender for one in FRONTED))
    return {f"static-{count}" for count in counts} | {one.name for one in others}


def quick_names(workloads: Sequence[Workload], cores: int) -> frozenset[str]:
    """Who runs when it is to be quick."""
    counts = {rule_of_thumb(cores), *(static_max(one) for one in workloads)}
    return frozenset({ADAPTIVE, THREADED, UWSGI, *(f"static-{count}" for count in counts)})


def plan(bench: Bench) -> int:
    """What is still to be run."""
    bench.records = kept.read(bench.path)
    jobs = runner.pending(bench, runner.planned(bench))
    for job in jobs:
        print(f"{job.workload.name:8} {job.contender.name:24} {job.front:5} seed {job.seed}")
    print(f"{len(jobs)} runs, about {sum(job.seconds for job in jobs) / 60:.0f} min")
    return 0


def taken(found: dict[str, Any]) -> None:
    """The results and their page, each whole or not at all; fewer runs do not take the place of more."""
    before = json.loads(kept.RESULTS.read_text()) if kept.RESULTS.exists() else {"runs": []}
    if len(found["runs"]) < len(before["runs"]):
        name = kept.RESULTS.name
        tell(f"not taken: {len(found['runs'])} runs, {len(before['runs'])} in {name}; remove it to begin anew")
        return
    write_whole(kept.RESULTS, written(found))
    from benchmarks.contest import page

    page.write()


def written(found: dict[str, Any]) -> str:
    """JSON with a line for each run, so that a change can be read."""
    parts = []
    for name, value in found.items():
        rows = [json.dumps(one, separators=(",", ":")) for one in value] if isinstance(value, list) else None
        text = json.dumps(value, separators=(",", ":")) if rows is None else "[\n" + ",\n".join(rows) + "\n]"
        parts.append(f"{json.dumps(name)}:{text}")
    return "{" + ",\n".join(parts) + "}\n"


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"contest: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
