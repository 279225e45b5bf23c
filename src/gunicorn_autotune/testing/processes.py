"""The moving parts of the simulated server: a request, a worker process, and what the sensors read of it."""

from __future__ import annotations

from gunicorn_autotune.model.readings import MemoryReading, Missing
from gunicorn_autotune.model.snapshot import WorkerReading, WorkerState

HIDDEN = Missing("hidden in this simulation")


class Request:
    """One request on its way."""

    __slots__ = (
        "arrived_at", "cpu_seconds", "finished_at", "pooled", "scale", "started_at", "wait_seconds", "work", "worker",
    )  # fmt: skip

    def __init__(self, arrived_at: float, scale: float, pooled: bool, work: tuple[float, float] | None = None) -> None:
        self.arrived_at = arrived_at
        self.scale = scale
        self.pooled = pooled
        self.work = work
        """CPU seconds and seconds of waiting of its own, whatever the application's means are."""
        self.started_at = 0.0
        self.finished_at: float | None = None
        self.cpu_seconds = 0.0
        self.wait_seconds = 0.0
        self.worker: Worker | None = None


class Worker:
    """One worker process."""

    __slots__ = (
        "age", "alive", "computing", "draining", "draw", "for_gil", "forked_at", "free_index", "in_flight",
        "private_bytes", "queued", "ready_at", "requests", "requests_limit", "slot",
    )  # fmt: skip

    def __init__(self, slot: int, age: int, forked_at: float, private_bytes: int) -> None:
        self.slot = slot
        self.age = age
        self.forked_at = forked_at
        self.private_bytes = private_bytes
        self.ready_at: float | None = None
        self.alive = True
        self.draining = False
        self.in_flight = 0
        self.queued: list[Request] = []
        """Accepted ahead of a free thread."""
        self.computing = False
        self.for_gil: list[Request] = []
        """Requests that want the GIL; bursts run whole, in turn."""
        self.requests = 0
        self.requests_limit: int | None = None
        self.draw = 0.0
        self.free_index = -1
        """Place in the host's list of workers that take connections; -1: not in it."""

    def reading(self, memory_hidden: bool, sharers: int, shared_bytes: int) -> WorkerReading:
        """As the sensors see it."""
        shared = shared_bytes // sharers
        return WorkerReading(
            slot=self.slot,
            pid=1000 + self.age,
            age=self.age,
            state=self.state(),
            spawned_at=self.forked_at,
            ready_at=self.ready_at,
            in_flight=self.in_flight,
            queued=len(self.queued),
            requests=self.requests,
            served=self.requests,
            rss_bytes=HIDDEN if memory_hidden else self.private_bytes + shared_bytes,
            memory=HIDDEN
            if memory_hidden
            else MemoryReading(pss_bytes=self.private_bytes + shared, uss_bytes=self.private_bytes),
            requests_limit=self.requests_limit,
            draw=self.draw,
        )

    def state(self) -> WorkerState:
        """Booting, idle, busy or draining."""
        if self.draining:
            return WorkerState.DRAINING
        if self.ready_at is None:
            return WorkerState.BOOTING
        return WorkerState.BUSY if self.in_flight else WorkerState.IDLE
