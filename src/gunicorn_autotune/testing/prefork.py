"""The server that is simulated: requests go through it, workers come and go."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from heapq import heappush
from random import Random

from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS
from gunicorn_autotune.testing.outcome import LATE_SECONDS, Outcome
from gunicorn_autotune.testing.processes import Request, Worker
from gunicorn_autotune.testing.reading import Counters
from gunicorn_autotune.testing.sharing import Sharing
from gunicorn_autotune.testing.world import Application, Machine

_BACKOFF_SECONDS = 10.0


class Prefork:
    """Cores, a listen queue, workers with threads, a database. Knows no controller and no clock but `at`."""

    def __init__(self, application: Application, machine: Machine, seed: int) -> None:
        self.application, self.machine = application, machine
        self.at = 0.0
        self.target = 0
        self.outcome = Outcome()
        self.counters = Counters()
        self.workers: list[Worker] = []
        self.takers: list[Worker] = []
        self.queue: deque[Request] = deque()
        self.pool_queue: deque[Request] = deque()
        self.pooled = 0
        self.timers: list[tuple[float, int, Callable[..., None], object]] = []
        self.cpu = Sharing(self._core_share)
        self.database = Sharing(self._database_rate)
        self.backoff_until: float | None = None
        self._backoff_seconds = _BACKOFF_SECONDS
        self._order = self._ages = self._booting_jobs = 0
        self._free_slots: list[int] = []
        self._random = Random(f"{seed} who accepts")
        self._births = Random(f"{seed} births")
        self._second = [0, 0, 0]

    def _advance(self, at: float) -> None:
        seconds, counters, cpu = at - self.at, self.counters, self.cpu
        if seconds > 0.0:
            counters.busy_seconds += counters.in_service * seconds
            serving = len(cpu.jobs) - self._booting_jobs
            counters.cpu_seconds += serving * cpu.rate * seconds
            counters.run_delay_seconds += serving * (1.0 - cpu.rate) * seconds
            counters.boot_cpu_seconds += self._booting_jobs * cpu.rate * seconds
            if cpu.jobs and cpu.rate < 1.0:
                counters.full_seconds += seconds
            cpu.advance(at)
            self.database.advance(at)
            self.at = at

    def _at(self, at: float, act: Callable[..., None], what: object) -> None:
        self._order += 1
        heappush(self.timers, (at, self._order, act, what))

    def _core_share(self, wanting: int) -> float:
        machine = self.machine
        return min(1.0, (machine.cores - machine.taken_cores) / max(1, wanting + machine.neighbours))

    def _database_rate(self, waits: int) -> float:
        others, application = max(0, waits - 1), self.application
        return 1.0 / (1.0 + application.contention * others + application.coherency * waits * others)

    # -- one request

    def _arrive(self, request: Request) -> None:
        self.outcome.arrived += 1
        self._second[0] += 1
        if len(self.queue) >= self.machine.backlog_limit:
            self.outcome.dropped += 1
            self._second[2] += 1
            return
        self.queue.append(request)
        self._accept()

    def _accept(self) -> None:
        while self.queue and self.takers:
            machine = self.machine
            worker = self.takers[-1 if machine.threads == 1 else self._random.randrange(len(self.takers))]
            request = self.queue.popleft()
            if worker.in_flight < machine.threads:
                self._begin(worker, request)
            else:
                worker.queued.append(request)
                self._retake(worker)

    def _begin(self, worker: Worker, request: Request) -> None:
        waited = self.at - request.arrived_at
        self.outcome.waits.append((request.arrived_at, waited))
        self._second[2] += waited > LATE_SECONDS
        counters, application = self.counters, self.application
        counters.started += 1
        counters.in_service += 1
        counters.queue_times[bisect_left(QUEUE_TIME_BOUNDS_SECONDS, waited)] += 1
        request.started_at, request.worker = self.at, worker
        if request.work is None:
            request.cpu_seconds = application.cpu_seconds * request.scale
            request.wait_seconds = application.wait_seconds * request.scale
        else:
            request.cpu_seconds, request.wait_seconds = request.work
        request.cpu_seconds += application.overhead_cpu_seconds
        worker.in_flight += 1
        self._retake(worker)
        if request.cpu_seconds <= 0.0 and request.wait_seconds <= 0.0:
            # Not at once: a backlog of such requests would end in a RecursionError.
            self._at(self.at, self._finish, request)
        elif request.cpu_seconds <= 0.0:
            self._wait(request)
        elif worker.computing:
            worker.for_gil.append(request)
        else:
            worker.computing = True
            self.cpu.add(request.cpu_seconds, request)

    def _computed(self, job: Request | Worker) -> None:
        if isinstance(job, Worker):
            self._booting_jobs -= 1
            self._at(self.at + self.application.boot_wait_seconds, self._booted, job)
            return
        worker = job.worker
        assert worker is not None
        if worker.for_gil:
            following = worker.for_gil.pop(0)
            self.cpu.add(following.cpu_seconds, following)
        else:
            worker.computing = False
        self._wait(job)

    def _wait(self, request: Request) -> None:
        if request.wait_seconds <= 0.0:
            self._finish(request)
        elif not request.pooled or not self._limited():
            self._at(self.at + request.wait_seconds, self._finish, request)
        elif self._pool_empty():
            self.pool_queue.append(request)
        else:
            self.pooled += 1
            self.database.add(request.wait_seconds, request)

    def _limited(self) -> bool:
        application = self.application
        return application.pool is not None or application.contention > 0.0 or application.coherency > 0.0

    def _answered(self, request: Request) -> None:
        self.pooled -= 1
        self._lend()
        self._finish(request)

    def _lend(self) -> None:
        """Connections that are free to those that wait for one."""
        while self.pool_queue and not self._pool_empty():
            following = self.pool_queue.popleft()
            if following.worker is not None and following.worker.alive:
                self.pooled += 1
                self.database.add(following.wait_seconds, following)

    def _pool_empty(self) -> bool:
        return self.application.pool is not None and self.pooled >= self.application.pool

    def _finish(self, request: Request) -> None:
        worker, outcome, counters = request.worker, self.outcome, self.counters
        if worker is None or not worker.alive:
            return
        took, response = self.at - request.started_at, self.at - request.arrived_at
        request.finished_at = self.at
        outcome.finished += 1
        self._second[1] += 1
        outcome.responses.append(response)
        outcome.excesses.append(response - request.cpu_seconds - request.wait_seconds)
        counters.in_service -= 1
        counters.finished += 1
        counters.service_seconds += took
        counters.service_seconds_squared += took * took
        worker.in_flight -= 1
        worker.requests += 1
        worker.private_bytes += self.application.leak_bytes
        if worker.queued and worker.in_flight < self.machine.threads:
            self._begin(worker, worker.queued.pop(0))
        if worker.requests_limit is not None and worker.requests >= (2.0 + worker.draw) * worker.requests_limit:
            worker.draining = True
        if worker.draining and not worker.in_flight and not worker.queued:
            self._leave(worker)
        else:
            self._retake(worker)
        self._accept()

    # -- workers

    def _new_worker(self) -> Worker:
        self._ages += 1
        slot = self._free_slots.pop() if self._free_slots else len(self.workers)
        worker = Worker(slot, self._ages, self.at, self.application.worker_bytes)
        worker.draw = self._births.random()
        if self.machine.max_requests:
            worker.requests_limit = self.machine.max_requests + self._births.randint(
                0, self.machine.max_requests_jitter
            )
        self.workers.append(worker)
        return worker

    def _spawn(self, after_seconds: float) -> None:
        self._at(self.at + after_seconds, self._boot, self._new_worker())

    def _boot(self, worker: Worker) -> None:
        if worker.alive:
            self._booting_jobs += 1
            self.cpu.add(max(1e-6, self.application.boot_cpu_seconds), worker)

    def _booted(self, worker: Worker) -> None:
        if not worker.alive:
            return
        limit = self.machine.boots_fail_above
        ready = sum(1 for one in self.workers if one.ready_at is not None and not one.draining)
        if limit is not None and ready >= limit:
            self.outcome.failed_boots += 1
            self._leave(worker)
            self.target = max(1, min(self.target, ready))
            if self.backoff_until is None or self.at >= self.backoff_until:
                self.backoff_until = self.at + self._backoff_seconds
                self._backoff_seconds = min(600.0, 2.0 * self._backoff_seconds)
        else:
            self._backoff_seconds = _BACKOFF_SECONDS
            self.counters.boots += 1
            self.outcome.boots += 1
            self._ready(worker)

    def _ready(self, worker: Worker) -> None:
        worker.ready_at = self.at
        self._retake(worker)
        self._accept()

    def _retake(self, worker: Worker) -> None:
        """Put `worker` among those that take connections, or out of them."""
        takes = (
            worker.alive and not worker.draining and worker.ready_at is not None
            and worker.in_flight + len(worker.queued) < self.machine.threads + self.machine.accepts_ahead
        )  # fmt: skip
        takers = self.takers
        if takes and worker.free_index < 0:
            worker.free_index = len(takers)
            takers.append(worker)
        elif not takes and worker.free_index >= 0:
            takers[worker.free_index] = takers[-1]
            takers[worker.free_index].free_index = worker.free_index
            takers.pop()
            worker.free_index = -1

    def _leave(self, worker: Worker) -> None:
        worker.alive = False
        self._retake(worker)
        self.workers.remove(worker)
        self._free_slots.append(worker.slot)

    def _drain(self, worker: Worker) -> None:
        worker.draining = True
        self._retake(worker)
        if worker.ready_at is None or (not worker.in_flight and not worker.queued):
            if worker.ready_at is None:
                self._forget_boot(worker)
            self._leave(worker)

    def _forget_boot(self, worker: Worker) -> None:
        before = len(self.cpu.jobs)
        self.cpu.drop(lambda job: job is worker)
        self._booting_jobs -= before - len(self.cpu.jobs)

    def waiting(self) -> list[Request]:
        """Requests that wait for a worker: in the backlog, or accepted ahead of a free thread."""
        return [*self.queue, *(request for worker in self.workers for request in worker.queued)]

    def memory_bytes(self) -> int:
        """Private memory of all workers, and what they share, once."""
        return self.application.shared_bytes + sum(worker.private_bytes for worker in self.workers)
