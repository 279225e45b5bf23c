"""python -m benchmarks.contest [--quick] [--workloads io,step] [--seeds 1-10] [--minutes 60] [--take] [--page]."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.contest import kept, runner
from benchmarks.contest.contenders import ADAPTIVE, THREADED, rule_of_thumb, static_max
from benchmarks.contest.host import layout
from benchmarks.contest.report import report
from benchmarks.contest.runner import Bench
from benchmarks.contest.workloads import WORKLOADS, Workload, shortened
from benchmarks.micro import machine

QUICK = ("step", "io", "cpu", "pool", "leak")
QUICK_STATIC = 12
MAX_SEED = 10


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
    line.add_argument("--seeds", default=f"1-{MAX_SEED}", metavar="FIRST-LAST", help=f"(default: 1-{MAX_SEED})")
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
    return run(bench, told, arguments)


def run(bench: Bench, told: argparse.Namespace, arguments: Sequence[str] | None) -> int:
    """The exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are ended on the way out
    os.sched_setaffinity(0, bench.layout.generator_cores)
    deadline = time.monotonic() + 60 * told.minutes if told.minutes else None
    code = 0
    try:
        runner.run(bench, tell, deadline)
    except KeyboardInterrupt:
        tell("interrupted; the same command goes on here")
        code = 130
    command = shlex.join(["python", "-m", "benchmarks.contest", *(sys.argv[1:] if arguments is None else arguments)])
    found = runner.document(bench, command, machine.describe())
    if told.take:
        taken(found)
    print(json.dumps(found, indent=1) if told.json else report(found))
    return code or int(bool(bench.not_run))


def asked(told: argparse.Namespace, line: argparse.ArgumentParser) -> Bench:
    """What is wanted, if it makes sense; else a line about it, and the end."""
    names = told.workloads.split(",") if told.workloads else list(QUICK if told.quick else WORKLOADS)
    if unknown := [name for name in names if name not in WORKLOADS]:
        line.error(f"--workloads = {','.join(unknown)}, must be of {', '.join(WORKLOADS)}")
    first, _, last = told.seeds.partition("-")
    if not (first.isdigit() and (last or first).isdigit() and 1 <= int(first) <= int(last or first) <= MAX_SEED):
        line.error(f"--seeds = {told.seeds}, must be FIRST-LAST within 1-{MAX_SEED}")
    workloads = [WORKLOADS[name] for name in names]
    seeds = list(range(int(first), int(last or first) + 1))
    cores = layout(sorted(os.sched_getaffinity(0)))
    wanted = frozenset(told.contenders.split(",")) if told.contenders else frozenset()
    if told.quick:
        wanted = wanted or quick_names(workloads, len(cores.server_cores))
        return Bench(kept.OUT / "contest-quick.jsonl", cores, [shortened(one) for one in workloads], [1], wanted, True)
    return Bench(kept.OUT / "contest.jsonl", cores, workloads, seeds, wanted)


def quick_names(workloads: Sequence[Workload], cores: int) -> frozenset[str]:
    """Who runs when it is to be quick."""
    counts = {rule_of_thumb(cores), *(static_max(one) for one in workloads)}
    return frozenset({ADAPTIVE, THREADED, "uwsgi", *(f"static-{count}" for count in counts)})


def plan(bench: Bench) -> int:
    """What is still to be run."""
    bench.records = kept.read(bench.path)
    jobs = runner.pending(bench)
    for job in jobs:
        print(f"{job.workload.name:8} {job.contender.name:24} {job.front:5} seed {job.seed}")
    print(f"{len(jobs)} runs, about {sum(job.seconds for job in jobs) / 60:.0f} min")
    return 0


def taken(found: dict[str, object]) -> None:
    """The results and their page, each whole or not at all."""
    beside = kept.RESULTS.with_suffix(".new")
    beside.write_text(json.dumps(found, separators=(",", ":")).replace(',"', ',\n"') + "\n")
    beside.replace(kept.RESULTS)
    from benchmarks.contest import page

    page.write()


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"contest: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
