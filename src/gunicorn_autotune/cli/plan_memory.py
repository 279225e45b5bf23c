"""How large workers are, and whether they grow with each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import StatisticsError, linear_regression, median

from gunicorn_autotune.cli.plan_observed import Memory
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.policy import Policy, least_limit_in_force, memory_in_force, written_in_force
from gunicorn_autotune.model.readings import HostReading, Missing, Reading, Unlimited, known
from gunicorn_autotune.model.snapshot import READY_STATES, Snapshot, WorkerReading

WARM_SECONDS = 60.0
"""Lazy imports and caches fill in this time; only growth after it can be a leak."""
LEAST_READINGS = 10
LEAST_REQUESTS = 200
"""Of one worker after its warm-up, to call its growth a leak."""
ENOUGH_REQUESTS = 1000
"""Of one worker after its warm-up, to say that it does not leak."""
_STEADY_SHARE = 0.5
"""The second half must grow at least this much as the first, and the other way round: a cache that fills levels off."""
_LEAST_GROWTH_BYTES = 1 << 20
_LEAST_GROWTH_SHARE = 0.02


@dataclass(slots=True)
class Life:
    """One worker process: its private size, once a second from when it is warm."""

    spawned_at: float
    first_request: int
    last_request: int = 0
    read_at: float = 0.0
    by_uss: bool = False
    requests: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, at: float, worker: WorkerReading) -> None:
        """Note the worker's size, unless that was done within the second."""
        self.last_request = worker.requests
        size = _private_bytes(worker)
        if not size or at < max(self.read_at + 1.0, self.spawned_at + WARM_SECONDS):
            return
        if self.by_uss is isinstance(worker.memory, Missing):
            # The first USS after a while of RSS, or the reverse: two measures make no slope.
            self.requests, self.sizes = [], []
        self.by_uss, self.read_at = not isinstance(worker.memory, Missing), at
        self.requests.append(worker.requests)
        self.sizes.append(size)

    @property
    def watched(self) -> int:
        """Requests between the first and the last reading."""
        return self.requests[-1] - self.requests[0] if self.requests else 0


def memory_of(policy: Policy, ticks: Sequence[Tick]) -> Memory:
    """The figures of a record."""
    first, last = ticks[0].snapshot.host, ticks[-1].snapshot.host
    largest, measure = _largest(ticks)
    lives = _lives(ticks)
    fresh = [life.sizes[0] for life in lives if life.sizes]
    limit, _ = memory_in_force(policy, last)
    return Memory(
        limit_bytes=limit,
        least_limit_bytes=least_limit_in_force(policy, last) or last.memory_least_limit_bytes,
        other_bytes=_other_bytes(policy, ticks),
        worker_bytes=_size_bytes(largest) if largest else Missing("no worker's memory was read"),
        measure=measure,
        shared_bytes=_shared_bytes(largest),
        fresh_bytes=int(median(fresh)) if fresh else Missing("no worker was watched after its warm-up"),
        leak_bytes_per_request=leak_of(lives),
        requests_per_worker=max((life.last_request - life.first_request for life in lives), default=0),
        oom_kills=_oom_kills(first.oom_kills, last.oom_kills),
    )


def _size_bytes(worker: WorkerReading) -> int:
    """PSS, or USS where that is larger; RSS counts shared pages in every worker, so it is the last resort."""
    if isinstance(worker.memory, Missing):
        return known(worker.rss_bytes, 0)
    return max(worker.memory.pss_bytes, worker.memory.uss_bytes)


def _private_bytes(worker: WorkerReading) -> int:
    return known(worker.rss_bytes, 0) if isinstance(worker.memory, Missing) else worker.memory.uss_bytes


def _largest(ticks: Sequence[Tick]) -> tuple[WorkerReading | None, str]:
    """The reading with the largest size, of those that are not RSS where there are any."""
    workers = [worker for tick in ticks for worker in _ready(tick.snapshot)]
    measured = [worker for worker in workers if not isinstance(worker.memory, Missing)]
    found = max(measured or workers, key=_size_bytes, default=None)
    return found if found is not None and _size_bytes(found) else None, "PSS" if measured else "RSS"


def _shared_bytes(worker: WorkerReading | None) -> Reading[int]:
    if worker is None or isinstance(worker.memory, Missing) or isinstance(worker.rss_bytes, Missing):
        return Missing("needs both RSS and USS of one worker")
    return max(0, worker.rss_bytes - worker.memory.uss_bytes)


def _ready(snapshot: Snapshot) -> list[WorkerReading]:
    return [worker for worker in snapshot.workers if worker.state in READY_STATES]


def _other_bytes(policy: Policy, ticks: Sequence[Tick]) -> Reading[int]:
    """In use besides the workers, at the level that limits at the end: median over the moments with all measured."""
    found, at_the_end = [], _level(policy, ticks[-1].snapshot.host)
    for tick in ticks:
        snapshot, host = tick.snapshot, tick.snapshot.host
        if _level(policy, host) != at_the_end:
            continue
        _, used = memory_in_force(policy, host)
        sizes = [_size_bytes(worker) for worker in snapshot.workers]
        if not isinstance(used, Missing) and all(sizes) and len(_ready(snapshot)) == len(sizes):
            found.append(max(0, used - sum(sizes)))
    return int(median(found)) if found else Missing("memory in use and workers' sizes were never read together")


def _level(policy: Policy, host: HostReading) -> Reading[str]:
    return "written" if written_in_force(policy, host) else host.memory_limit_origin


def _lives(ticks: Sequence[Tick]) -> list[Life]:
    lives: dict[tuple[int, int], Life] = {}
    for tick in ticks:
        for worker in _ready(tick.snapshot):
            key = (worker.pid, worker.age)
            if key not in lives:
                lives[key] = Life(worker.spawned_at, worker.requests)
            lives[key].add(tick.snapshot.at, worker)
    return list(lives.values())


def leak_of(lives: Sequence[Life]) -> Reading[float]:
    """Bytes a request that most workers grew by, steadily; 0 when watched for long enough and none was seen."""
    judged = [life for life in lives if len(life.sizes) >= LEAST_READINGS and life.watched >= LEAST_REQUESTS]
    slopes = [_slope(life) for life in judged]
    leaking = [slope for slope in slopes if slope > 0.0]
    if leaking and 2 * len(leaking) > len(slopes):
        return median(leaking)
    if any(life.watched >= ENOUGH_REQUESTS for life in judged):
        return 0.0
    most = max((life.watched for life in lives), default=0)
    return Missing(f"no worker was watched for {ENOUGH_REQUESTS} requests after its first minute (the most: {most})")


def _slope(life: Life) -> float:
    """Bytes a request, the lower of the two halves; 0 when the halves disagree or the growth is too small to count."""
    middle = len(life.sizes) // 2
    try:
        slopes = [
            linear_regression(life.requests[part], life.sizes[part]).slope
            for part in (slice(middle), slice(middle, None))
        ]
    except StatisticsError:
        return 0.0
    least = min(slopes)
    enough = max(_LEAST_GROWTH_BYTES, _LEAST_GROWTH_SHARE * life.sizes[0])
    if least < _STEADY_SHARE * max(slopes) or least * life.watched < enough:
        return 0.0
    return least


def _oom_kills(older: Reading[int], newer: Reading[int]) -> Reading[int]:
    if isinstance(older, Missing):
        return older
    return newer if isinstance(newer, Missing) else max(0, newer - older)


def mature_bytes(memory: Memory) -> Reading[int]:
    """What to reckon for a worker: the largest seen; of one that leaks, and is recycled, its size at 1000 requests."""
    fresh, leak = memory.fresh_bytes, known(memory.leak_bytes_per_request, 0.0)
    if isinstance(memory.worker_bytes, Missing) or isinstance(fresh, Missing) or not leak:
        return memory.worker_bytes
    return min(memory.worker_bytes, fresh + int(leak * ENOUGH_REQUESTS))


def budget_bytes(policy: Policy, memory: Memory) -> Reading[float]:
    """Bytes the workers may share: the limit less the reserve and less what is not theirs."""
    if isinstance(memory.limit_bytes, (Missing, Unlimited)):
        return Missing("no memory limit is known")
    if isinstance(memory.other_bytes, Missing):
        return memory.other_bytes
    reserve = policy.memory_reserve_share * min(memory.limit_bytes, known(memory.least_limit_bytes, memory.limit_bytes))
    return memory.limit_bytes - reserve - memory.other_bytes
