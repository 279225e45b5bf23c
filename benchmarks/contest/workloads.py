"""What is asked of every contender: loads and work drawn in advance, so that all get the very same requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from benchmarks.calibration.cells import Plan
from benchmarks.openloop import Phase, schedule

MIB = 1 << 20
GIB = 1 << 30
QUICK_SECONDS = 4.0
FIRST_SEED = 101
"""Seeds below were looked at while the law and the workloads were made."""
POOL_SIZE = 10
"""Connections of the database in `pool`."""

NASA_HOURS = (
    62450, 53066, 45297, 37398, 32234, 31919, 35253, 54017, 83750, 99969, 105507, 115720,
    122085, 120814, 122479, 121200, 118037, 97609, 79282, 71776, 69809, 71922, 70759, 68671,
)  # fmt: skip
"""Requests by hour of the day in July 1995 at NASA's Kennedy Space Center, midnight first (the NASA-HTTP log of the
Internet Traffic Archive: 1,891,714 requests; these are the 1,891,023 that the usual parsers read)."""


@dataclass(frozen=True)
class Part:
    """Some of the requests: their share of all, and what each asks for, in seconds."""

    share: float
    cpu_seconds: float
    wait_seconds: float


@dataclass(frozen=True)
class Workload:
    """One load on one app. Rates of CPU-bound ones are for each core that the server gets."""

    name: str
    title: str
    phases: tuple[Phase, ...]
    parts: tuple[Part, ...]
    exponential: bool = False
    """Work varies around its mean; else it is the mean."""
    per_core: bool = False
    step_at: float | None = None
    """When the load jumps; time to capacity counts from here."""
    import_cpu_seconds: float = 0.0
    """Of the app, in every worker: none preloads it then."""
    leak_bytes: int = 0
    """Kept for ever by each request."""
    pooled: bool = False
    """The wait is a query to a database with POOL_SIZE connections."""
    memory_limit_bytes: int = GIB
    seeds: int = 10
    counts: tuple[int, ...] = (5, 8, 12, 20)
    """Of the oracle's sweep, for each core where the load is; beside the most that memory holds."""
    sweep_factor: float = 1.0
    """The sweep lasts this much of the load."""

    @property
    def seconds(self) -> float:
        """Of the load."""
        return sum(phase.seconds for phase in self.phases)

    def offered(self, cores: int) -> tuple[Phase, ...]:
        """The phases for a server with so many cores."""
        factor = cores if self.per_core else 1
        return tuple(Phase(phase.rate * factor, phase.seconds) for phase in self.phases)


def plan(workload: Workload, seed: int, cores: int) -> Plan:
    """The same workload, seed and cores give the same requests: Poisson arrivals, each with its own work."""
    moments = schedule(workload.offered(cores), poisson=True, seed=seed)
    random = Random(f"{workload.name} {seed} work")
    return Plan(tuple(moments), tuple(_work(workload, random) for _ in moments))


def _work(workload: Workload, random: Random) -> tuple[float, float]:
    (part,) = random.choices(workload.parts, [part.share for part in workload.parts])
    scale = random.expovariate(1.0) if workload.exponential else 1.0
    # To the microsecond, as the query string tells the app.
    return round(part.cpu_seconds * scale, 6), round(part.wait_seconds * scale, 6)


def for_sweep(workload: Workload) -> Workload:
    """The same load in less time, where it is a long one."""
    if workload.sweep_factor == 1.0:
        return workload
    cut = tuple(replace(phase, seconds=phase.seconds * workload.sweep_factor) for phase in workload.phases)
    return replace(workload, phases=cut)


def shortened(workload: Workload) -> Workload:
    """Every phase cut, one seed: to see that it runs; the figures are worth little."""
    cut = tuple(replace(phase, seconds=min(phase.seconds, QUICK_SECONDS)) for phase in workload.phases)
    step = None if workload.step_at is None else sum(p.seconds for p in cut[: _phase_at(workload, workload.step_at)])
    return replace(workload, phases=cut, step_at=step, seeds=1)


def _phase_at(workload: Workload, at: float) -> int:
    ends = [sum(phase.seconds for phase in workload.phases[:number]) for number in range(len(workload.phases))]
    return ends.index(at)


def rising(rate: float, seconds: float) -> tuple[Phase, ...]:
    """Up to `rate` in three steps of a second, then on."""
    return (*(Phase(rate * number / 4, 1) for number in (1, 2, 3)), Phase(rate, seconds))


def _day(peak: float, seconds_an_hour: float) -> tuple[Phase, ...]:
    return tuple(Phase(round(peak * hour / max(NASA_HOURS), 2), seconds_an_hour) for hour in NASA_HOURS)


CPU, IO = (Part(1, 0.02, 0.0),), (Part(1, 0.001, 0.1),)
WORKLOADS = {
    one.name: one
    for one in (
        Workload("cpu", "CPU-bound: 20 ms of CPU (exponential), 60 % of the cores", rising(30, 9), CPU,
                 exponential=True, per_core=True, counts=(1, 2, 3, 5, 8)),
        Workload("full", "CPU-bound beyond 100 %: 20 ms of CPU (exponential), asks for 140 % of the cores",
                 (Phase(70, 10),), CPU, exponential=True, per_core=True, counts=(1, 2, 3, 5, 8)),
        Workload("io", "I/O-bound: 100 ms of waiting, 60 requests/s", rising(60, 9), IO, counts=(8, 10, 14, 20)),
        Workload("mixed", "mixed: 90 % of 22 ms, 10 % of 410 ms, 60 requests/s", rising(60, 9),
                 (Part(0.9, 0.002, 0.02), Part(0.1, 0.01, 0.4))),
        Workload("tail", "heavy tail: 1 % of the requests take 4 s, the others 40 ms, 40 requests/s", rising(40, 11),
                 (Part(0.99, 0.002, 0.038), Part(0.01, 0.002, 3.998))),
        Workload("step", "step: 100 ms of waiting, 10 then 150 requests/s", (Phase(10, 3), Phase(150, 9)), IO,
                 step_at=3.0, counts=(16, 20, 24)),
        Workload("flash", "flash crowd: 80 ms of waiting, 15, then 120 for 6 s, then 15 requests/s",
                 (Phase(15, 3), Phase(120, 6), Phase(15, 5)), (Part(1, 0.002, 0.078),), step_at=3.0,
                 counts=(12, 16, 20)),
        Workload("import", "slow import: 1 s of CPU for each worker's boot, 100 ms of waiting, 5 then 40 requests/s",
                 (Phase(5, 3), Phase(40, 15)), IO, step_at=3.0, import_cpu_seconds=1.0, counts=(3, 5, 8, 12)),
        Workload("bursts", "bursts every 30 s: 100 ms of waiting, 10 and 90 requests/s, 15 s each",
                 (Phase(10, 15), Phase(90, 15)) * 2, IO, seeds=3, counts=(12, 20), sweep_factor=0.5),
        Workload("pool", "database pool of 10: queries of 100 ms, 20, 90, then 130 requests/s",
                 (Phase(20, 4), Phase(90, 8), Phase(130, 40)), IO, pooled=True, seeds=3, counts=(10, 12, 20),
                 sweep_factor=0.5),
        Workload("leak", "leak: 200 KiB a request, 60 requests/s of 20 ms, in 384 MiB", (Phase(60, 35),),
                 (Part(1, 0.001, 0.02),), leak_bytes=200 << 10, memory_limit_bytes=384 * MIB, seeds=3,
                 counts=(3, 5)),
        Workload("day", "day: NASA-HTTP's hours, 4 s each, up to 100 requests/s of 100 ms", _day(100, 4), IO,
                 seeds=5, counts=(12, 16, 20), sweep_factor=0.5),
    )
}  # fmt: skip
