"""A document of results as a contest writes it, with made-up figures: for tests, and for nothing else."""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.contest import roles
from benchmarks.contest.contenders import ADAPTIVE
from benchmarks.contest.workloads import WORKLOADS

ORACLE_NAME = "static-16"
MOST_NAME = "static-30"
EVERYBODY = (ADAPTIVE, ORACLE_NAME, "static-3", "gthread-3x4", MOST_NAME, "uwsgi", "uwsgi-fast", "granian")
LATE = {ADAPTIVE: 0.012, ORACLE_NAME: 0.001, "static-3": 0.7, "gthread-3x4": 0.2, "uwsgi": 0.15, "uwsgi-fast": 0.05}
A_SWEPT = {"contender": ORACLE_NAME, "late_50_share": 0.001, "p95_seconds": 0.11, "throughput": 58.7}
WORKERS = {"static-3": 3, "gthread-3x4": 3, ORACLE_NAME: 16, MOST_NAME: 30, ADAPTIVE: 14, "uwsgi": 9}


def a_run(workload: str, contender: str, seed: int, front: str = "", **figures: Any) -> dict[str, Any]:
    """One valid run; `figures` win over the made-up ones."""
    chance = Random(f"{workload} {contender} {seed}")
    late, workers = LATE.get(contender, 0.002), WORKERS.get(contender, 8)
    late *= chance.uniform(0.8, 1.2)
    found: dict[str, Any] = {
        "requests": 1000, "failed": 0, "failed_by_kind": {}, "late_50_share": late, "late_250_share": late / 3,
        "p50_seconds": 0.104, "p95_seconds": 0.11 + late, "p99_seconds": 0.2 + late, "throughput": 58.7,
        "worker_seconds": 12.0 * workers, "mean_workers": workers, "most_workers": workers,
        "gb_seconds": (0.3 + 0.3 * workers) * chance.uniform(0.97, 1.03), "cpu_seconds_per_request": 0.0031,
        "actions": 2, "reversals": 0, "oom_kills": 0, "lateness_p99_seconds": 0.001, "others_cores": 0.02,
    }  # fmt: skip
    if workload in WORKLOADS and WORKLOADS[workload].step_at is not None:
        found["back_seconds"] = 20 * late
    if contender == ADAPTIVE:
        found["downstream"] = workload == "pool"
    run = {"workload": workload, "contender": contender, "front": front, "seed": seed, "valid": True, "why": ""}
    return {**run, "figures": found | figures}


def a_series(workload: str, contender: str) -> dict[str, Any]:
    """Calm, then a queue that goes away; adaptive grows."""
    load = WORKLOADS[workload]
    chance, count = Random(f"{workload} {contender}"), WORKERS.get(contender, 8)
    rates = [(sum(phase.seconds for phase in load.phases[:at]), one.rate) for at, one in enumerate(load.phases)]
    slow = 100 * LATE.get(contender, 0.002)
    rows = [
        {"second": second, "arrivals": 50, "failed": 0,
         "p95_seconds": chance.uniform(0.1, 0.12) + slow * (3 <= second < 5 + slow / 10)}
        for second in range(int(load.seconds))
    ]  # fmt: skip
    grown = [[0.0, 2], [3.4, count // 2], [4.1, count]] if contender in (ADAPTIVE, "uwsgi") else [[0.0, count]]
    return {"seconds": load.seconds, "offered": [list(one) for one in rates], "per_second": rows, "workers": grown}


def a_document(
    workloads: tuple[str, ...] = tuple(WORKLOADS), contenders: tuple[str, ...] = EVERYBODY, seeds: int = 3
) -> dict[str, Any]:
    """Everybody on every workload; the first seed has its record over time."""
    runs = [
        a_run(workload, contender, seed)
        for workload in workloads for seed in range(1, seeds + 1) for contender in contenders
    ]  # fmt: skip
    for run in runs:
        if run["seed"] == 1:
            run["series"] = a_series(run["workload"], run["contender"])
    return {
        "machine": {
            "cpu": "A Processor",
            "cores": "2",
            "memory": "8 GiB",
            "system": "Linux 6",
            "python": "CPython 3.11",
        },
        "versions": {"gunicorn": "27.0.1", "uwsgi": "2.0.31"},
        "layout": {"server_cores": [0], "generator_cores": [1]},
        "command": "python -m benchmarks.contest --take",
        "taken": "2026-02-03T04:05:06+00:00",
        "not_run": {"passenger": "not in this system's packages"},
        "sweep": {name: {"best": ORACLE_NAME, "counts": [A_SWEPT]} for name in workloads},
        "runs": runs,
        "closed": [],
        "spoilt": [],
    }


def behind_nginx(workload: str = "step", seeds: int = 2) -> list[dict[str, Any]]:
    """Adaptive and the oracle over both kinds of upstream."""
    return [
        a_run(workload, contender, seed, front, back_seconds=2.0 if front == roles.TCP else 1.0)
        for front in (roles.UNIX, roles.TCP) for contender in (ADAPTIVE, ORACLE_NAME) for seed in range(1, seeds + 1)
    ]  # fmt: skip


def by_locust(workload: str = "io", contender: str = ADAPTIVE, seed: int = 1) -> dict[str, Any]:
    """One run in a closed loop."""
    return {"workload": workload, "contender": contender, "seed": seed, "users_most": 30, "requests": 500, "failed": 0,
            "p50_seconds": 0.1, "p95_seconds": 0.12, "p99_seconds": 0.2, "requests_per_second": 50.0}  # fmt: skip
