"""python -m benchmarks.simulation [--named] [--set tuning|fresh] [--take] [--explain SEED INDEX]."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.simulation import explain, jobs, page, record, report, workloads
from benchmarks.simulation.kept import Kept
from benchmarks.simulation.peers import BEST_STATIC, CONTENDERS
from benchmarks.simulation.run import Played
from benchmarks.simulation.workload import Workload


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.simulation",
        description="The law beside what others do, on simulated servers.",
        epilog="Without --named and --set the named scenarios are run, and the tuning set; with --take the fresh one.",
    )
    line.add_argument("--named", action="store_true", help="the named scenarios")
    line.add_argument("--only", type=_names, metavar="NAME,...", help=f"of these: {', '.join(workloads.NAMED)}")
    line.add_argument("--set", choices=("tuning", "fresh"), help="random workloads")
    line.add_argument("--seeds", type=_seeds, metavar="101-110", help="of the random set (default: all of the set's)")
    line.add_argument("--named-seeds", type=int, default=5, metavar="N", help="runs of a named scenario (default: 5)")
    line.add_argument("--each", type=int, default=workloads.FRESH_EACH, metavar="N", help="workloads a seed")
    line.add_argument("--controllers", type=_controllers, default=list(CONTENDERS), metavar="NAME,...",
                      help=", ".join(CONTENDERS))  # fmt: skip
    line.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default: 2)")
    line.add_argument("--take", action="store_true",
                      help="run everybody, then write results/simulation.json and docs/evidence.md")  # fmt: skip
    line.add_argument("--again", action="store_true", help="run peers again, too; else their kept runs are used")
    line.add_argument("--json", action="store_true", help="print JSON instead of tables")
    line.add_argument("--explain", nargs=2, metavar=("SEED", "INDEX"),
                      help="one workload told every 10 s; or a scenario's NAME and a seed")  # fmt: skip
    line.add_argument("--beside", default="apache", choices=[name for name in CONTENDERS if name != BEST_STATIC],
                      help="the peer to explain beside (default: apache)")  # fmt: skip
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    told = parser().parse_args(arguments)
    if told.explain:
        print(explain.explain(one_workload(*told.explain), told.beside))
        return 0
    began = time.monotonic()
    kept = None if told.again or told.take else Kept()
    parts = {name: jobs.play_all(found, told.controllers, told.jobs, kept) for name, found in chosen(told).items()}
    seconds = time.monotonic() - began
    jobs.tell(f"{seconds:.0f} s on {told.jobs} processes")
    given = sys.argv[1:] if arguments is None else arguments
    document = record.document(parts, shlex.join(["python", "-m", "benchmarks.simulation", *given]), seconds, told.jobs)
    if told.take:
        record.RESULTS.write_text(record.dump(document))
        page.write()
    print(record.dump(document) if told.json else "\n\n".join(text(name, plays) for name, plays in parts.items()))
    return 0


def chosen(told: argparse.Namespace) -> dict[str, list[Workload]]:
    """The workloads asked for, by part."""
    parts: dict[str, list[Workload]] = {}
    if told.named or told.only or not told.set:
        seeds = workloads.NAMED_SEEDS[: told.named_seeds]
        parts[record.NAMED] = [workloads.named(name, seed) for name in told.only or workloads.NAMED for seed in seeds]
    if told.set or not (told.named or told.only):
        chosen_set = told.set or ("fresh" if told.take else "tuning")
        seeds = told.seeds or {"tuning": workloads.TUNING_SEEDS, "fresh": workloads.FRESH_SEEDS}[chosen_set]
        parts[chosen_set] = [one for seed in seeds for one in workloads.workload_set(seed, told.each)]
    return parts


def text(part: str, plays: Sequence[Played]) -> str:
    """One part's tables."""
    return report.named_report(plays) if part == record.NAMED else report.set_report(plays, f"{part} set")


def one_workload(seed: str, index: str) -> Workload:
    """`1 4` is a random one, `io-step 201` a named one."""
    if seed in workloads.NAMED:
        return workloads.named(seed, int(index))
    if int(seed) in workloads.FRESH_SEEDS:
        jobs.tell(f"seed {seed} is kept apart to judge the law: change nothing because of what you see here")
    return workloads.workload_set(int(seed), int(index) + 1)[-1]


def _seeds(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return tuple(found)


def _controllers(text: str) -> list[str]:
    return _known(text, CONTENDERS)


def _names(text: str) -> list[str]:
    return _known(text, workloads.NAMED)


def _known(text: str, known: Mapping[str, Any]) -> list[str]:
    found = text.split(",")
    for one in found:
        if one not in known:
            raise argparse.ArgumentTypeError(f"{one}, must be one of {', '.join(known)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
