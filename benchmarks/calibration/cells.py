"""What is run: loads and work drawn in advance, so that a real server and the simulator get the very same."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from benchmarks.openloop import Phase, schedule

MIN_WORKERS, MAX_WORKERS = 2, 40
PAUSE = Phase(0, 2)
"""Before the load: the server has just started and answered one request that asked whether it is up."""
DRAIN_SECONDS = 15
"""After the load, for what is still on its way; no figure counts it."""
THREADS = 4
GUNICORN_CONNECTIONS = 1000
"""Gunicorn's default of worker_connections: what a gthread worker accepts, whether or not a thread is free."""


@dataclass(frozen=True)
class Cell:
    """One load on one server. A request computes, then waits; both seconds are means, drawn together."""

    name: str
    title: str
    phases: tuple[Phase, ...]
    cpu_seconds: float
    wait_seconds: float
    spread: str = "constant"
    """How much requests differ: `constant` or `exponential`."""
    kind: str = "sync"
    """Of the server: one of KINDS in server.py; all preload but `slow_import`."""

    @property
    def seconds(self) -> float:
        """Of the load, its pause included."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def step_at(self) -> float:
        """Where the last phase begins."""
        return self.seconds - self.phases[-1].seconds

    @property
    def threads(self) -> int:
        """Of each worker."""
        return THREADS if self.kind.startswith("gthread") else 1

    @property
    def accepts_ahead(self) -> int:
        """Connections a worker takes beyond its threads."""
        return GUNICORN_CONNECTIONS - THREADS if self.kind == "gthread_ahead" else 0


@dataclass(frozen=True)
class Plan:
    """Every request of one run: its moment in seconds from the start, its CPU seconds and seconds of waiting."""

    moments: tuple[float, ...]
    work: tuple[tuple[float, float], ...]


def plan(cell: Cell, seed: int) -> Plan:
    """The same cell and seed give the same plan."""
    moments = schedule(cell.phases, poisson=True, seed=seed)
    random = Random(f"{seed} work")
    scales = [random.expovariate(1.0) if cell.spread == "exponential" else 1.0 for _ in moments]
    return Plan(tuple(moments), tuple(_work(cell, scale) for scale in scales))


def _work(cell: Cell, scale: float) -> tuple[float, float]:
    # To the microsecond, as the query string tells the app.
    return round(cell.cpu_seconds * scale, 6), round(cell.wait_seconds * scale, 6)


def shortened(cell: Cell, seconds: float) -> Cell:
    """The cell with every phase but the pause cut to `seconds`: to see that it runs, the figures are worth nothing."""
    cut = tuple(Phase(phase.rate, min(phase.seconds, seconds)) for phase in cell.phases[1:])
    return Cell(**{**vars(cell), "phases": (PAUSE, *cut)})


STEP = (PAUSE, Phase(10, 12), Phase(150, 60))
CELLS = {
    cell.name: cell
    for cell in (
        Cell("cpu", "CPU: 20 ms of CPU (exponential), 55 requests/s", (PAUSE, Phase(55, 70)), 0.02, 0.0, "exponential"),
        Cell("io", "I/O: 100 ms of waiting, 60 requests/s", (PAUSE, Phase(60, 70)), 0.0, 0.1),
        Cell("step", "step: 100 ms of waiting, 10 then 150 requests/s", STEP, 0.0, 0.1),
        Cell("mixed", "mixed: 10 ms of CPU + 50 ms of waiting (exponential), 20 then 80 requests/s",
             (PAUSE, Phase(20, 20), Phase(80, 50)), 0.01, 0.05, "exponential"),
        Cell("gthread", "gthread, 4 threads, worker_connections = 4: 100 ms of waiting (exponential), 20 then 120"
             " requests/s", (PAUSE, Phase(20, 20), Phase(120, 50)), 0.0, 0.1, "exponential", "gthread"),
        Cell("gthread_ahead", "the same with Gunicorn's own worker_connections of 1000",
             (PAUSE, Phase(20, 20), Phase(120, 50)), 0.0, 0.1, "exponential", "gthread_ahead"),
        Cell("import", "slow import: the same step, no preload, 1 s of CPU to boot a worker", STEP, 0.0, 0.1,
             kind="slow_import"),
    )
}  # fmt: skip
