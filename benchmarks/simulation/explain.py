"""One workload told every ten seconds: what ours decided and why, and a peer beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.simulation.peers import CONTENDERS, OURS
from benchmarks.simulation.workload import Workload

from gunicorn_autotune.model.decisions import Action, Decision
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import Autotuned, Outcome, Second

EVERY_SECONDS = 10


def explain(workload: Workload, peer: str) -> str:
    """The table; `late` counts requests, by the second they were accepted or dropped in."""
    ours, start = CONTENDERS[OURS].make(workload)  # type: ignore[misc]
    outcome = workload.run(ours, start)
    assert isinstance(ours, Autotuned)
    other, other_start = CONTENDERS[peer].make(workload)  # type: ignore[misc]
    theirs = workload.run(other, other_start)
    lines = [
        f"{workload.name}: {workload.about}",
        _totals(OURS, outcome),
        _totals(peer, theirs),
        "",
        f"{'':>6}{'':>7} | {OURS:<26} | {peer:<26} |",
        f"{'at':>6}{'rps':>7} | {'target ready waiting late':<26} | {'target ready waiting late':<26} | decided",
    ]
    for begin in range(0, workload.load.seconds, EVERY_SECONDS):
        mine, its = _part(outcome.history, begin), _part(theirs.history, begin)
        if mine and its:
            rate = sum(second.arrived for second in mine) / len(mine)
            told = decided([one for at, one in ours.decisions if begin < at <= begin + EVERY_SECONDS], ours.decisions)
            lines.append(f"{begin:>6}{rate:>7.1f} | {_cells(mine)} | {_cells(its)} | {told}")
    return "\n".join(lines)


def decided(decisions: Sequence[Decision], _all: object = None) -> str:
    """Every change with its reason; for quiet spells the reason most holds gave, and the bottleneck."""
    changes = [
        f"{one.action.value}->{one.target} {one.reason.value}" for one in decisions if one.action is not Action.HOLD
    ]
    holds = Counter(one.reason.value for one in decisions if one.action is Action.HOLD)
    told = [*changes, *(f"{reason} x{count}" for reason, count in holds.most_common(2))]
    named = {one.bottleneck.value for one in decisions if not isinstance(one.bottleneck, Missing)} - {"none"}
    return ", ".join(told) + (f" [{', '.join(sorted(named))}]" if named else "")


def _part(history: Sequence[Second], begin: int) -> list[Second]:
    return [second for second in history if begin < second.at <= begin + EVERY_SECONDS]


def _cells(seconds: Sequence[Second]) -> str:
    last, late = seconds[-1], sum(second.late for second in seconds)
    return f"{last.target:>6}{last.ready:>6}{last.waiting:>8}{late:>6}"


def _totals(name: str, outcome: Outcome) -> str:
    return (
        f"{name:<12} late {outcome.late_share:.2%}, slow {outcome.slow_share:.2%}, p95 "
        f"{outcome.p95_response_seconds:.3f} s, {outcome.mean_workers:.1f} workers, {len(outcome.actions)} actions, "
        f"{outcome.throughput:.1f} rps"
    )
