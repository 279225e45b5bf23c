"""A run over time, as a plot shows it: the law's own figures at every tick, and each second as its users felt it."""

from __future__ import annotations

from typing import Any

from benchmarks.calibration.observed import Observed, during
from benchmarks.openloop.results import per_second

from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import WorkerState

_UP = (WorkerState.IDLE, WorkerState.BUSY)


def timeline(run: Observed) -> dict[str, Any]:
    """Seconds from the start of the plan; a demand or p95 that is not there is None."""
    begins = [sum(phase.seconds for phase in run.cell.phases[:number]) for number in range(len(run.cell.phases))]
    return {
        "seconds": run.cell.seconds,
        "step_at": run.cell.step_at,
        "offered": [[at, phase.rate] for at, phase in zip(begins, run.cell.phases, strict=True)],
        "ticks": [_tick(tick, run.began) for tick in during(run)],
        "per_second": [
            {"second": row["second"], "arrivals": row["count"], "p95_seconds": _rounded(row["p95_seconds"])}
            for row in per_second(run.answers)
        ],
    }


def _tick(tick: Tick, began: float) -> dict[str, Any]:
    snapshot, decision = tick.snapshot, tick.decision
    return {
        "at": round(snapshot.at - began, 3),
        "backlog": sum(known(listener.backlog, 0) for listener in snapshot.listeners),
        "demand": _rounded(known(decision.demand, None)),
        "target": decision.target,
        "ready": sum(worker.state in _UP for worker in snapshot.workers),
        "reason": f"{decision.action.value} {decision.reason.value}",
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
